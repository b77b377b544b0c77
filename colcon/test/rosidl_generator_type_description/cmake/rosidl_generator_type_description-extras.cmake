find_package(ament_cmake_core REQUIRED)
ament_register_extension("rosidl_generate_idl_interfaces" "rosidl_generator_type_description" "generate.cmake")
