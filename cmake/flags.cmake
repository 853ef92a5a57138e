# project_flags: standard, warnings, sanitizers and the include root of every target.
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# what was found below CMAKE_PREFIX_PATH is found again by the installed program
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)

add_library(project_flags INTERFACE)
target_include_directories(project_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
target_compile_definitions(project_flags INTERFACE _GNU_SOURCE)
# -ffp-contract=off: a resumed run equals an uninterrupted one, whatever the compiler fuses
target_compile_options(project_flags INTERFACE
    -ffp-contract=off -fno-math-errno -Wall -Wextra -Wpedantic -Wshadow -Wconversion
    -Wdouble-promotion -Wvla -Wundef -Wstrict-prototypes -Wmissing-prototypes
    -Wold-style-definition -Wcast-qual -Wwrite-strings -Wformat=2 -Wnull-dereference
    -Wimplicit-fallthrough -Wswitch-enum)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(project_flags INTERFACE -Wduplicated-cond -Wlogical-op -Wjump-misses-init)
endif()
if(MBTUNE_WERROR)
    target_compile_options(project_flags INTERFACE -Werror)
endif()
if(MBTUNE_SANITIZE)
    target_compile_options(project_flags INTERFACE
        -fsanitize=${MBTUNE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(project_flags INTERFACE -fsanitize=${MBTUNE_SANITIZE})
endif()
