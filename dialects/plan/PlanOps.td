//===- PlanOps.td - All ops of the plan dialect ---------------------------===//
#ifndef PLAN_OPS_TD
#define PLAN_OPS_TD

include "dialects/plan/PlanModuleOps.td"
include "dialects/plan/PlanProgramOps.td"

#endif // PLAN_OPS_TD
