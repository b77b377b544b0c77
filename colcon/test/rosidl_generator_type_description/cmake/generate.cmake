# Says where the description of each interface is, as the real one does: "msg/Name.idl:/absolute/Name.json", made in the build.
set(_descriptions "")
foreach(_tuple ${rosidl_generate_interfaces_IDL_TUPLES})
  string(REGEX REPLACE ".*:([^:]*)\\.idl$" "\\1" _name "${_tuple}")
  set(_made "${CMAKE_CURRENT_BINARY_DIR}/rosidl_generator_type_description/${PROJECT_NAME}/${_name}.json")
  set(_given "${CMAKE_CURRENT_SOURCE_DIR}/descriptions/${_name}.json")
  add_custom_command(
    OUTPUT "${_made}"
    COMMAND "${CMAKE_COMMAND}" -E copy "${_given}" "${_made}"
    DEPENDS "${_given}"
    VERBATIM)
  list(APPEND _descriptions "${_made}")
  list(APPEND ${rosidl_generate_interfaces_TARGET}__DESCRIPTION_TUPLES "${_name}.idl:${_made}")
endforeach()
add_custom_target(${rosidl_generate_interfaces_TARGET}__rosidl_generator_type_description DEPENDS ${_descriptions})
add_dependencies(${rosidl_generate_interfaces_TARGET} ${rosidl_generate_interfaces_TARGET}__rosidl_generator_type_description)
