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

# The arguments of generators have type descriptions since Iron; Debian's rosidl is older and does not know them. Defined here, as
# every find_package(rosidl_cmake) defines its own again.
function(rosidl_write_generator_arguments output_file)
  cmake_parse_arguments(_given "" "" "TYPE_DESCRIPTION_TUPLES" ${ARGN})
  _rosidl_write_generator_arguments("${output_file}" ${_given_UNPARSED_ARGUMENTS})
  if(_given_TYPE_DESCRIPTION_TUPLES)
    file(READ "${output_file}" _text)
    string(REPLACE ";" "\", \"" _tuples "${_given_TYPE_DESCRIPTION_TUPLES}")
    string(JSON _text SET "${_text}" "type_description_tuples" "[\"${_tuples}\"]")
    file(WRITE "${output_file}" "${_text}")
  endif()
endfunction()
