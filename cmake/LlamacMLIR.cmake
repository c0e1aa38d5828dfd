# MLIR and LLVM 22 from the distribution's packages, linked as shared libraries.
if(NOT MLIR_DIR)
  set(MLIR_DIR /usr/lib/llvm-22/lib/cmake/mlir CACHE PATH "" FORCE)
endif()
find_package(MLIR 22.1 REQUIRED CONFIG)
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)

# llamac_tablegen(<target> <file.td> <out.inc> <tblgen args...> [<out> <args> --]):
# one custom target that runs mlir-tblgen on a file of the current directory.
# Generated headers are included by their source path ("dialects/llm/LlmOps.h.inc").
function(llamac_tablegen target td)
  set(outs)
  set(name)
  set(args)
  foreach(arg IN LISTS ARGN)
    if(arg MATCHES "\\.inc$|\\.md$")
      set(name ${arg})
    else()
      get_filename_component(dir ${CMAKE_CURRENT_SOURCE_DIR}/${td} DIRECTORY)
      set(out ${CMAKE_CURRENT_BINARY_DIR}/${name})
      string(REPLACE "," ";" flags "${arg}")
      add_custom_command(OUTPUT ${out}
        COMMAND ${LLVM_TOOLS_BINARY_DIR}/mlir-tblgen ${flags}
                -I ${CMAKE_SOURCE_DIR} -I ${MLIR_INCLUDE_DIRS}
                ${CMAKE_CURRENT_SOURCE_DIR}/${td} -o ${out} -d ${out}.d
        DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${td} DEPFILE ${out}.d VERBATIM)
      list(APPEND outs ${out})
    endif()
  endforeach()
  add_custom_target(${target} DEPENDS ${outs})
endfunction()

# llamac_mlir_library(<name> SOURCES ... [LIBS ...] [DEPENDS ...])
function(llamac_mlir_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  # LLVM's headers are not ours to warn about.
  target_include_directories(${name} SYSTEM PUBLIC ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  target_include_directories(${name} PUBLIC ${CMAKE_BINARY_DIR})
  target_compile_definitions(${name} PUBLIC ${LLVM_DEFINITIONS_LIST})
  target_compile_options(${name} PRIVATE $<$<NOT:$<BOOL:${LLVM_ENABLE_RTTI}>>:-fno-rtti>)
  target_link_libraries(${name} PUBLIC ${ARG_LIBS} MLIR LLVM)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()
