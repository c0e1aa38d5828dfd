# Completion scripts, manual pages and reference pages, made by the programs
# that were built and by TableGen, into share/ of the build folder; and what
# `cmake --install` installs.
include(GNUInstallDirs)
set(LLAMAC_SHARE ${CMAKE_BINARY_DIR}/share)
set(LLAMAC_REFERENCE ${LLAMAC_SHARE}/doc/llamac/reference)
set(reference_files)

# reference_file(<out> <command...>): what the command prints.
function(reference_file out)
  get_filename_component(folder ${out} DIRECTORY)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${out} COMMAND ${ARGN} > ${out} DEPENDS ${ARGV1} VERBATIM)
  set(reference_files ${reference_files} ${out} PARENT_SCOPE)
endfunction()

foreach(program llamac llamarun llama-opt)
  if(NOT TARGET ${program})
    continue()
  endif()
  reference_file(${LLAMAC_SHARE}/bash-completion/completions/${program} ${program} completion bash)
  reference_file(${LLAMAC_SHARE}/zsh/site-functions/_${program} ${program} completion zsh)
  reference_file(${LLAMAC_SHARE}/fish/vendor_completions.d/${program}.fish ${program} completion fish)
  reference_file(${LLAMAC_SHARE}/man/man1/${program}.1 ${program} reference man)
  reference_file(${LLAMAC_REFERENCE}/${program}.md ${program} reference markdown)
  install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endforeach()

# reference_tablegen(<name.md> <file.td> <tblgen flags...>)
function(reference_tablegen name td)
  file(MAKE_DIRECTORY ${LLAMAC_REFERENCE})
  set(out ${LLAMAC_REFERENCE}/${name})
  add_custom_command(OUTPUT ${out}
    COMMAND ${LLVM_TOOLS_BINARY_DIR}/mlir-tblgen ${ARGN} -I ${CMAKE_SOURCE_DIR} -I ${MLIR_INCLUDE_DIRS}
            ${CMAKE_SOURCE_DIR}/${td} -o ${out} -d ${CMAKE_BINARY_DIR}/CMakeFiles/${name}.d
    DEPENDS ${CMAKE_SOURCE_DIR}/${td} DEPFILE ${CMAKE_BINARY_DIR}/CMakeFiles/${name}.d VERBATIM)
  set(reference_files ${reference_files} ${out} PARENT_SCOPE)
endfunction()
if(LLAMAC_BUILD_COMPILER)
  reference_tablegen(dialect-llm.md dialects/llm/LlmOps.td -gen-dialect-doc -dialect=llm)
  reference_tablegen(dialect-plan.md dialects/plan/PlanOps.td -gen-dialect-doc -dialect=plan)
  file(GLOB pass_files CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/passes/*/Passes.td)
  foreach(file ${pass_files})
    string(REGEX REPLACE "passes/(.*)/Passes.td" "\\1" phase ${file})
    reference_tablegen(passes-${phase}.md ${file} -gen-pass-doc)
  endforeach()
endif()

add_custom_target(docs ALL DEPENDS ${reference_files})
install(DIRECTORY ${LLAMAC_SHARE}/ DESTINATION ${CMAKE_INSTALL_DATADIR})
install(FILES ${CMAKE_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
