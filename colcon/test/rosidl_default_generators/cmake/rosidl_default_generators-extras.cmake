# Finds what the ament index names as a generator when an interface package is configured, as rosidl_core_generators does.
# ROSIDL_GENERATORS narrows it to a list of names: C and C++ code takes longer to compile than most checks need.
find_package(ament_cmake_core REQUIRED)
find_package(rosidl_cmake REQUIRED)
find_package(rosidl_adapter REQUIRED)

ament_index_get_resources(_rosidl_generators "rosidl_generator_packages")
foreach(_generator ${_rosidl_generators})
  if(NOT DEFINED ROSIDL_GENERATORS OR _generator IN_LIST ROSIDL_GENERATORS)
    find_package(${_generator} QUIET)
    if(NOT ${_generator}_FOUND)
      message(WARNING "the generator '${_generator}' is in the ament index, but find_package() does not find it")
    endif()
  endif()
endforeach()
