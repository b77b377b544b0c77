# Called by rosidl_generate_interfaces(): the crate <package>_buffer of an interface package.
#
# The program reads the files that people wrote (not the IDL made of them), writes what changed, and nothing if there is
# an error. Here is told when it runs and what is installed.

# Nobody could find a crate that is not installed.
if(rosidl_generate_interfaces_SKIP_INSTALL)
  message(STATUS "rosidl_generator_buffer_rs: no crate for ${rosidl_generate_interfaces_TARGET}, which is not installed")
  return()
endif()

set(_buffer_rs_crate "${PROJECT_NAME}_buffer")
set(_buffer_rs_dir "${CMAKE_CURRENT_BINARY_DIR}/rosidl_generator_buffer_rs")

# What is installed for the packages below this one. The program wants to know where each lies, for which one file will do.
set(_buffer_rs_dependencies "")
set(_buffer_rs_dependency_files "")
set(_buffer_rs_missing "")
foreach(_buffer_rs_dep ${rosidl_generate_interfaces_DEPENDENCY_PACKAGE_NAMES})
  get_filename_component(_buffer_rs_share "${${_buffer_rs_dep}_DIR}/.." ABSOLUTE)
  set(_buffer_rs_idls ${${_buffer_rs_dep}_IDL_FILES})
  if(_buffer_rs_idls)
    list(TRANSFORM _buffer_rs_idls PREPEND "${_buffer_rs_share}/")
    list(APPEND _buffer_rs_dependency_files ${_buffer_rs_idls})
    list(GET _buffer_rs_idls 0 _buffer_rs_idl)
    list(APPEND _buffer_rs_dependencies "${_buffer_rs_dep}:${_buffer_rs_idl}")
  endif()
  # The index of its own prefix, which need not be in AMENT_PREFIX_PATH.
  if(NOT EXISTS "${${_buffer_rs_dep}_DIR}/../../ament_index/resource_index/rust_packages/${_buffer_rs_dep}_buffer")
    ament_index_has_resource(_buffer_rs_found "rust_packages" "${_buffer_rs_dep}_buffer")
    if(NOT _buffer_rs_found)
      list(APPEND _buffer_rs_missing "${_buffer_rs_dep}")
    endif()
  endif()
endforeach()
if(_buffer_rs_missing)
  string(REPLACE ";" ", " _buffer_rs_names "${_buffer_rs_missing}")
  string(REPLACE ";" " --package " _buffer_rs_options "${_buffer_rs_missing}")
  message(WARNING
    "${PROJECT_NAME}: there are no Rust crates of ${_buffer_rs_names}: built without rosidl_generator_buffer_rs. "
    "${_buffer_rs_crate} is made all the same, but cargo cannot build it before they are there. Build these packages "
    "again, or make only their crates:\n"
    "  ${rosidl_generator_buffer_rs_BIN} ament-underlay --out <folder> --package ${_buffer_rs_options}\n"
    "  export AMENT_PREFIX_PATH=<folder>:$AMENT_PREFIX_PATH\n")
endif()

# The hashes that ROS 2 computes, since Iron.
set(_buffer_rs_type_descriptions "")
set(_buffer_rs_hash_files "")
if(${rosidl_generate_interfaces_TARGET}__DESCRIPTION_TUPLES)
  set(_buffer_rs_type_descriptions TYPE_DESCRIPTION_TUPLES "${${rosidl_generate_interfaces_TARGET}__DESCRIPTION_TUPLES}")
  foreach(_buffer_rs_tuple ${${rosidl_generate_interfaces_TARGET}__DESCRIPTION_TUPLES})
    string(REGEX REPLACE "^[^:]*:" "" _buffer_rs_file "${_buffer_rs_tuple}")
    list(APPEND _buffer_rs_hash_files "${_buffer_rs_file}")
  endforeach()
else()
  message(STATUS
    "rosidl_generator_buffer_rs: this ROS 2 computes no type hashes, those of ${PROJECT_NAME} are compared with none")
endif()

# With the files that people wrote, there are parts of services that older versions made of them; they do no harm.
get_target_property(_buffer_rs_originals ${rosidl_generate_interfaces_TARGET} SOURCES)
if(NOT _buffer_rs_originals)
  set(_buffer_rs_originals "")
endif()

set(_buffer_rs_inputs
  "${rosidl_generator_buffer_rs_BIN}"
  "${CMAKE_CURRENT_SOURCE_DIR}/package.xml"
  ${_buffer_rs_originals}
  ${rosidl_generate_interfaces_ABS_IDL_FILES}
  ${_buffer_rs_dependency_files})
set(_buffer_rs_arguments "${CMAKE_CURRENT_BINARY_DIR}/rosidl_generator_buffer_rs__arguments.json")
rosidl_write_generator_arguments(
  "${_buffer_rs_arguments}"
  PACKAGE_NAME "${PROJECT_NAME}"
  IDL_TUPLES "${rosidl_generate_interfaces_IDL_TUPLES}"
  ROS_INTERFACE_FILES "${_buffer_rs_originals}"
  ROS_INTERFACE_DEPENDENCIES "${_buffer_rs_dependencies}"
  OUTPUT_DIR "${_buffer_rs_dir}/${_buffer_rs_crate}"
  ${_buffer_rs_type_descriptions})

# One output, the stamp, and one target that has it: an output of several targets would be made by each of them. The program
# writes it last, after files that it leaves alone if they are right.
set(_buffer_rs_stamp "${_buffer_rs_dir}/${rosidl_generate_interfaces_TARGET}.stamp")
set(_buffer_rs_target "${rosidl_generate_interfaces_TARGET}__rosidl_generator_buffer_rs")
add_custom_command(
  OUTPUT "${_buffer_rs_stamp}"
  COMMAND "${rosidl_generator_buffer_rs_BIN}" ament
    --generator-arguments-file "${_buffer_rs_arguments}"
    --package-xml "${CMAKE_CURRENT_SOURCE_DIR}/package.xml"
    --stamp "${_buffer_rs_stamp}"
  DEPENDS ${_buffer_rs_inputs} ${_buffer_rs_hash_files} "${_buffer_rs_arguments}"
  COMMENT "Generating the Rust crate ${_buffer_rs_crate}"
  VERBATIM)
add_custom_target(${_buffer_rs_target} ALL DEPENDS "${_buffer_rs_stamp}")
add_dependencies(${rosidl_generate_interfaces_TARGET} ${_buffer_rs_target})
# It makes the files of hashes, which must not be made for this target a second time.
if(TARGET ${rosidl_generate_interfaces_TARGET}__rosidl_generator_type_description)
  add_dependencies(${_buffer_rs_target} ${rosidl_generate_interfaces_TARGET}__rosidl_generator_type_description)
endif()

install(
  DIRECTORY "${_buffer_rs_dir}/${_buffer_rs_crate}/"
  DESTINATION "share/${_buffer_rs_crate}/rust"
  PATTERN ".rosidl_buffer_gen" EXCLUDE)
ament_index_register_resource("rust_packages" PACKAGE_NAME "${_buffer_rs_crate}")

if(BUILD_TESTING AND rosidl_generate_interfaces_ADD_LINTER_TESTS)
  find_package(ament_cmake_test QUIET)
  if(ament_cmake_test_FOUND)
    ament_add_test(
      ${_buffer_rs_target}__check
      GENERATE_RESULT_FOR_RETURN_CODE_ZERO
      COMMAND "${rosidl_generator_buffer_rs_BIN}" check --strict "${CMAKE_CURRENT_SOURCE_DIR}")
  endif()
endif()
