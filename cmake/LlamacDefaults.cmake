# Build type, compiler cache, warnings, sanitizers: what every target shares.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(LLD NAMES ld.lld HINTS /usr/lib/llvm-22/bin NO_DEFAULT_PATH)
if(LLD)
  # Debian ships LLVM 22's ld.lld in its own folder only.
  get_filename_component(LLD_DIR ${LLD} DIRECTORY)
  add_link_options(-B${LLD_DIR} -fuse-ld=lld)
endif()
add_compile_options(-Wall -Wextra -Wno-unused-parameter
                    $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>)
if(LLAMAC_SANITIZE)
  add_compile_options(-fsanitize=${LLAMAC_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${LLAMAC_SANITIZE})
endif()
include_directories(${CMAKE_SOURCE_DIR})
# Debian keeps LLVM's shared libraries in a folder of their own.
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
