# Debian 12 packages; each is linked PRIVATE by the one folder that is its home.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(OPENBLAS REQUIRED IMPORTED_TARGET openblas)
pkg_check_modules(SQLITE3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(NLOPT REQUIRED IMPORTED_TARGET nlopt)
pkg_check_modules(LIBFYAML REQUIRED IMPORTED_TARGET libfyaml)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

find_path(RANDOM123_INCLUDE_DIR Random123/philox.h REQUIRED)
add_library(random123 INTERFACE)
target_include_directories(random123 SYSTEM INTERFACE ${RANDOM123_INCLUDE_DIR})

# where Open MPI is installed too, the plain names are its own: ask for MPICH by name first
if(NOT DEFINED MPI_C_COMPILER)
    find_program(MPI_C_COMPILER NAMES mpicc.mpich mpicc)
endif()
if(NOT DEFINED MPIEXEC_EXECUTABLE)
    find_program(MPIEXEC_EXECUTABLE NAMES mpiexec.mpich mpiexec)
endif()
find_package(MPI REQUIRED COMPONENTS C)
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES MPI::MPI_C)
check_c_source_compiles("#include <mpi.h>
#ifndef OPEN_MPI
#error another one
#endif
int main(void) { return 0; }" MBTUNE_IS_OPEN_MPI)
unset(CMAKE_REQUIRED_LIBRARIES)

set(MBTUNE_HAVE_MUJOCO OFF)
if(MBTUNE_MUJOCO)
    find_path(MUJOCO_INCLUDE_DIR mujoco/mujoco.h)
    find_library(MUJOCO_LIBRARY mujoco)
    if(MUJOCO_INCLUDE_DIR AND MUJOCO_LIBRARY)
        set(MBTUNE_HAVE_MUJOCO ON)
        add_library(mujoco INTERFACE)
        target_include_directories(mujoco SYSTEM INTERFACE ${MUJOCO_INCLUDE_DIR})
        target_link_libraries(mujoco INTERFACE ${MUJOCO_LIBRARY})
    endif()
endif()
if(NOT MBTUNE_HAVE_MUJOCO)
    message(STATUS "MuJoCo not found: building without the environments that need it")
endif()
