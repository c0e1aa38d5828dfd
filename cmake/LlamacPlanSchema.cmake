# plan_schema: the C++ header that flatc makes of runtime/plan/plan.fbs, and the
# schema's hash. Both halves depend on it; a change of the schema rebuilds both.
find_program(FLATC flatc REQUIRED)
set(PLAN_FBS ${CMAKE_SOURCE_DIR}/runtime/plan/plan.fbs)
set(PLAN_GENERATED_DIR ${CMAKE_BINARY_DIR}/generated/runtime/plan)
file(MAKE_DIRECTORY ${PLAN_GENERATED_DIR})
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PLAN_FBS})
file(SHA256 ${PLAN_FBS} PLAN_SCHEMA_HASH)
file(CONFIGURE OUTPUT ${PLAN_GENERATED_DIR}/SchemaHash.h CONTENT
"#pragma once
namespace llama::plan {
/// SHA-256 of plan.fbs: a plan made with another schema is refused.
inline constexpr char kSchemaHash[] = \"@PLAN_SCHEMA_HASH@\";
} // namespace llama::plan
" @ONLY)
add_custom_command(
  OUTPUT ${PLAN_GENERATED_DIR}/plan_generated.h
  COMMAND ${FLATC} --cpp --scoped-enums --gen-object-api --reflect-names
          -o ${PLAN_GENERATED_DIR} ${PLAN_FBS}
  DEPENDS ${PLAN_FBS} VERBATIM)
add_custom_target(plan_schema_header DEPENDS ${PLAN_GENERATED_DIR}/plan_generated.h)
add_library(plan_schema INTERFACE)
target_include_directories(plan_schema INTERFACE ${CMAKE_BINARY_DIR}/generated)
add_dependencies(plan_schema plan_schema_header)
