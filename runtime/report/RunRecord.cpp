#include "runtime/report/RunRecord.h"

#include "runtime/plan/Inspect.h"

#include <nlohmann/json.hpp>

namespace llamarun {

std::string runRecord(const Plan &plan, const RunFacts &facts) {
  using Json = nlohmann::ordered_json;
  Json all = Json::parse(inspectJson(plan)), record;
  record["llamarun"] = facts.version;
  for (auto &[name, value] : facts.arguments)
    record["arguments"][name] = value;
  record["devices"] = facts.devices;
  record["examples"] = facts.examples;
  record["steps"] = facts.steps;
  record["trainable_parameters"] = facts.trainableParameters;
  all["adapter"].erase("modules"); // hundreds, and adapter_config.json's
  for (const char *key :
       {"file", "hash", "compiler_version", "flags", "model_hash", "target",
        "grid", "model", "task", "adapter"})
    record["plan"][key] = std::move(all[key]);
  record["memory"] = std::move(all["memory"]);
  return record.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace llamarun
