# cmake -DOUTPUT=file.c -P embed.cmake a.yaml b.yaml ...
# Writes the YAML files as byte arrays: a string literal of that length is not portable C.
set(files "")
set(after_script FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
    if(after_script)
        list(APPEND files "${CMAKE_ARGV${i}}")
    elseif("${CMAKE_ARGV${i}}" STREQUAL "--")
        set(after_script TRUE)
    endif()
endforeach()

set(arrays "")
set(names "")
set(texts "")
set(number 0)
foreach(file ${files})
    get_filename_component(name "${file}" NAME_WE)
    file(READ "${file}" bytes HEX)
    string(REGEX REPLACE "(................................)" "\\1\n    " bytes "${bytes}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
    string(APPEND arrays "static const char text_${number}[] = {\n    ${bytes}'\\0'};\n\n")
    string(APPEND names "    \"${name}\",\n")
    string(APPEND texts "    text_${number},\n")
    math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUTPUT}" "/* made by embed.cmake from search_spaces/presets; do not edit */
#include \"search_spaces/presets.h\"

#include <stddef.h>

${arrays}const char *const preset__names[] = {
${names}    NULL,
};

const char *const preset__texts[] = {
${texts}    NULL,
};
")
