#include "runtime/plan/Inspect.h"

#include "runtime/plan/Ledger.h"
#include "runtime/plan/Verify.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>

namespace llamarun {
namespace {

using Json = nlohmann::ordered_json;

std::string text(const flatbuffers::String *s) {
  return std::string(viewOf(s));
}

const char *nameOf(fb::Head head) {
  switch (head) {
  case fb::Head::Classification:
    return "classification";
  case fb::Head::Regression:
    return "regression";
  case fb::Head::CausalLM:
    return "causal LM";
  }
  return "unknown";
}

const char *nameOf(fb::CodeFormat format) {
  switch (format) {
  case fb::CodeFormat::ElfSharedObject:
    return "ELF shared object";
  case fb::CodeFormat::Cubin:
    return "cubin";
  case fb::CodeFormat::Ptx:
    return "PTX";
  }
  return "unknown";
}

/// "12.3 MiB"
std::string human(std::uint64_t bytes) {
  static const char *units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    ++unit;
  }
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, unit ? "%.2f %s" : "%.0f %s", value,
                units[unit]);
  return buffer;
}

/// "12.3 G" with decimal prefixes, for operations.
std::string decimal(std::uint64_t count) {
  static const char *units[] = {"", "k", "M", "G", "T", "P"};
  double value = static_cast<double>(count);
  int unit = 0;
  while (value >= 1000 && unit < 5) {
    value /= 1000;
    ++unit;
  }
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, unit ? "%.2f %s" : "%.0f%s", value,
                units[unit]);
  return buffer;
}

std::string padded(std::string s, std::size_t width) {
  if (s.size() < width)
    s.resize(width, ' ');
  return s;
}

/// The largest program of each kind that has collectives: its ledger stands for
/// those of the smaller buckets.
std::vector<const fb::Program *> ledgerPrograms(const Plan &plan) {
  std::map<fb::ProgramKind, const fb::Program *> largest;
  for (std::size_t i = 0; i < plan.programCount(); ++i) {
    auto &program = plan.program(i);
    auto *&entry = largest[program.kind()];
    if (!entry || program.tokens() > entry->tokens())
      entry = &program;
  }
  std::vector<const fb::Program *> result;
  for (auto [kind, program] : largest)
    if (!ledgerOf(plan, *program).empty())
      result.push_back(program);
  return result;
}

/// "12.3 us", "4.5 ms"
std::string duration(double seconds) {
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, seconds < 1e-3 ? "%.1f us" : "%.2f ms",
                seconds * (seconds < 1e-3 ? 1e6 : 1e3));
  return buffer;
}

void printLedger(const Plan &plan, std::ostream &out) {
  auto programs = ledgerPrograms(plan);
  auto &link = linkOf(plan);
  out << "\ncollectives";
  if (programs.empty()) {
    out << ": none\n";
    return;
  }
  char model[128];
  std::snprintf(
      model, sizeof model,
      " of a run, one rank (predicted for %s: %.0f us and %.0f GB/s)\n",
      link.name, link.latency * 1e6, link.bandwidth * 1e-9);
  out << model;
  for (auto *program : programs) {
    auto ledger = ledgerOf(plan, *program);
    out << "  " << printable(viewOf(program->name())) << "\n";
    for (auto &line : linesOf(ledger)) {
      auto &entry = line.first;
      out << "    " << line.count << " x " << llamarun::nameOf(entry.kind)
          << " over " << printable(entry.axes) << " (" << entry.devices << "), "
          << llamarun::nameOf(entry.dtype) << " " << human(entry.bytes)
          << ", stream " << entry.stream << ", " << duration(entry.seconds)
          << " each, " << printable(entry.location);
      if (line.locations > 1)
        out << " and " << line.locations - 1 << " more";
      out << "\n";
    }
    for (auto &total : totalsOf(ledger))
      out << "    over " << printable(total.axes) << ": " << total.count
          << " calls, " << human(total.bytes) << ", " << duration(total.seconds)
          << "\n";
  }
}

Json ledgerJson(const Plan &plan) {
  Json list = Json::array();
  for (std::size_t i = 0; i < plan.programCount(); ++i)
    for (auto &entry : ledgerOf(plan, plan.program(i)))
      list.push_back({{"program", text(entry.program->name())},
                      {"step", entry.step},
                      {"kind", llamarun::nameOf(entry.kind)},
                      {"dtype", llamarun::nameOf(entry.dtype)},
                      {"axes", entry.axes},
                      {"devices", entry.devices},
                      {"bytes", entry.bytes},
                      {"stream", entry.stream},
                      {"location", entry.location},
                      {"predicted_us", entry.seconds * 1e6}});
  return list;
}

Json totalsJson(const Plan &plan) {
  Json list = Json::array();
  for (std::size_t i = 0; i < plan.programCount(); ++i)
    for (auto &total : totalsOf(ledgerOf(plan, plan.program(i))))
      list.push_back({{"program", text(plan.program(i).name())},
                      {"axes", total.axes},
                      {"count", total.count},
                      {"bytes", total.bytes},
                      {"predicted_us", total.seconds * 1e6}});
  return list;
}

std::map<std::string, std::size_t> stepsByKind(const fb::Program &program) {
  std::map<std::string, std::size_t> counts;
  for (auto *step : *program.steps())
    ++counts[llamarun::nameOf(step->operation_type())];
  return counts;
}

/// Launches that may begin before the step before them has ended.
std::size_t programmaticLaunches(const fb::Program &program) {
  std::size_t count = 0;
  for (auto *step : *program.steps())
    if (auto *launch = step->operation_as_Launch())
      count += launch->programmatic();
  return count;
}

/// How many launches of all programs use each kernel.
std::vector<std::size_t> kernelUses(const Plan &plan) {
  std::vector<std::size_t> uses(sizeOf(plan.root().kernels()));
  for (std::size_t p = 0; p < plan.programCount(); ++p)
    for (auto *step : *plan.program(p).steps())
      if (auto *launch = step->operation_as_Launch())
        ++uses[launch->kernel()];
  return uses;
}

struct Parameters {
  std::uint64_t all = 0, trainable = 0;
};
Parameters countParameters(const Plan &plan) {
  Parameters count;
  for (std::size_t i = 0; i < plan.tensorCount(); ++i) {
    auto role = plan.tensor(i).role();
    if (role != fb::Role::Weight && role != fb::Role::Parameter)
      continue;
    std::uint64_t elements = 1;
    for (std::size_t d = 0; d < sizeOf(plan.tensor(i).global_shape()); ++d)
      elements *= plan.tensor(i).global_shape()->Get(d);
    count.all += elements;
    if (role == fb::Role::Parameter)
      count.trainable += elements;
  }
  return count;
}

template <typename V> Json listOf(const V *strings) {
  Json list = Json::array();
  for (std::size_t i = 0; i < sizeOf(strings); ++i)
    list.push_back(text(strings->Get(i)));
  return list;
}

Json patternsOf(
    const flatbuffers::Vector<flatbuffers::Offset<fb::Pattern>> *patterns) {
  Json object = Json::object();
  for (std::size_t i = 0; i < sizeOf(patterns); ++i)
    object[text(patterns->Get(i)->key())] = patterns->Get(i)->value();
  return object;
}

} // namespace

std::array<std::uint64_t, kCategories> plannedBytes(const Plan &plan) {
  std::array<std::uint64_t, kCategories> bytes{};
  for (std::size_t i = 0; i < plan.allocationCount(); ++i)
    bytes[static_cast<std::size_t>(plan.allocation(i).category())] +=
        plan.allocation(i).bytes();
  return bytes;
}

void inspect(const Plan &plan, std::ostream &out) {
  // Only names were checked for control characters at load.
  auto safe = [](const flatbuffers::String *s) { return printable(viewOf(s)); };
  auto &root = plan.root();
  auto &model = plan.model();
  auto &task = plan.task();
  auto &adapter = plan.adapter();
  auto line = [&out](const char *label) -> std::ostream & {
    return out << padded(label, 12);
  };
  line("plan") << plan.path() << "\n";
  line("hash") << plan.hash() << "\n";
  line("made by") << "llamac " << safe(root.compiler_version()) << " "
                  << safe(root.flags()) << "\n";
  line("target") << safe(plan.target().kind()) << " "
                 << safe(plan.target().arch()) << " "
                 << safe(plan.target().features()) << "\n";
  auto showGrid = [&](const auto *grid) {
    if (sizeOf(grid) == 0)
      out << "one device";
    for (std::uint32_t i = 0; i < sizeOf(grid); ++i)
      out << (i ? " x " : "") << safe(grid->Get(i)->name()) << "="
          << grid->Get(i)->size();
  };
  line("grid");
  showGrid(root.grid());
  out << "\n";
  if (plan.find(fb::ProgramKind::Reshard, 1)) {
    line("layouts");
    showGrid(root.source_grid());
    out << " to ";
    showGrid(root.target_grid());
    out << "\n";
  }
  auto parameters = countParameters(plan);
  // A program that its model brought: no decoder, no task.
  bool bare = model.layers() == 0;
  if (bare)
    line("model") << safe(model.name()) << ", " << nameOf(model.compute())
                  << "\n";
  else
    line("model") << safe(model.name()) << ": " << model.layers()
                  << " layers, hidden " << model.hidden_size() << ", MLP "
                  << model.intermediate_size() << ", heads " << model.heads()
                  << "/" << model.kv_heads() << " x " << model.head_dim()
                  << ", vocabulary " << model.vocab_size() << ", "
                  << nameOf(model.compute()) << "\n";
  line("parameters") << parameters.all << ", trainable " << parameters.trainable
                     << "\n";
  if (!bare)
    line("task") << safe(task.name()) << " (" << nameOf(task.head()) << "), "
                 << task.labels() << " labels, batch " << task.batch() << " x "
                 << task.accumulation() << ", at most " << task.max_length()
                 << " tokens a sequence\n";
  line("adapter") << safe(adapter.kind()) << " r=" << adapter.rank()
                  << " alpha=" << adapter.alpha()
                  << " dropout=" << adapter.dropout() << " on "
                  << sizeOf(adapter.modules()) << " modules\n";
  if (auto *a = adapter.adalora())
    line("schedule") << "target_r=" << a->target_rank()
                     << " tinit=" << a->tinit() << " tfinal=" << a->tfinal()
                     << " deltaT=" << a->delta_t() << " beta1=" << a->beta1()
                     << " beta2=" << a->beta2()
                     << " orth_reg_weight=" << a->orth_reg_weight()
                     << " total_step=" << a->total_step() << "\n";

  out << "\nmemory\n";
  auto bytes = plannedBytes(plan);
  std::uint64_t total = 0;
  for (std::size_t c = 0; c < kCategories; ++c) {
    total += bytes[c];
    if (bytes[c])
      out << "  " << padded(nameOf(static_cast<fb::Category>(c)), 18)
          << human(bytes[c]) << " (" << bytes[c] << ")\n";
  }
  out << "  " << padded("total", 18) << human(total) << " (" << total << ")\n";
  std::size_t pitched = 0;
  for (std::size_t i = 0; i < plan.bufferCount(); ++i)
    pitched += plan.rows(i).rows > 1;
  if (pitched)
    out << "  " << padded("pitched", 18) << pitched << " of "
        << plan.bufferCount() << " buffers\n";

  out << "\nprograms\n";
  for (std::size_t i = 0; i < plan.programCount(); ++i) {
    auto &program = plan.program(i);
    out << "  " << padded(safe(program.name()), 18) << program.tokens()
        << " tokens, " << program.sequences() << " sequences, "
        << program.steps()->size() << " steps (";
    bool first = true;
    for (auto &[kind, count] : stepsByKind(program)) {
      out << (first ? "" : ", ") << count << " " << kind;
      first = false;
    }
    if (auto early = programmaticLaunches(program))
      out << ", " << early << " programmatic";
    out << "), " << program.streams() << " streams, "
        << decimal(program.flops()) << "FLOP, " << human(program.bytes())
        << " traffic, " << human(program.activation_bytes())
        << " activations\n";
  }

  printLedger(plan, out);

  out << "\nkernels\n";
  auto uses = kernelUses(plan);
  for (std::size_t i = 0; i < uses.size(); ++i)
    out << "  " << padded(safe(root.kernels()->Get(i)->symbol()), 32) << " "
        << uses[i] << " launches  "
        << safe(root.kernels()->Get(i)->description()) << "\n";
  for (std::size_t i = 0; i < sizeOf(root.code_objects()); ++i) {
    auto *object = root.code_objects()->Get(i);
    out << "  code object " << i << ": " << nameOf(object->format()) << " "
        << safe(object->arch()) << ", " << human(object->data()->size())
        << "\n";
  }
}

std::string inspectJson(const Plan &plan) {
  auto &root = plan.root();
  auto &model = plan.model();
  auto &task = plan.task();
  auto &adapter = plan.adapter();
  Json json;
  json["file"] = plan.path();
  json["hash"] = plan.hash();
  json["schema_hash"] = text(root.schema_hash());
  json["compiler_version"] = text(root.compiler_version());
  json["flags"] = text(root.flags());
  json["model_hash"] = text(root.model_hash());
  json["target"] = {{"kind", text(plan.target().kind())},
                    {"arch", text(plan.target().arch())},
                    {"features", text(plan.target().features())}};
  for (auto [key, grid] : {std::pair("grid", root.grid()),
                           {"source_grid", root.source_grid()},
                           {"target_grid", root.target_grid()}}) {
    json[key] = Json::array();
    for (std::uint32_t i = 0; i < sizeOf(grid); ++i)
      json[key].push_back({{"name", text(grid->Get(i)->name())},
                           {"size", grid->Get(i)->size()}});
  }
  auto parameters = countParameters(plan);
  json["model"] = {{"name", text(model.name())},
                   {"hidden_size", model.hidden_size()},
                   {"intermediate_size", model.intermediate_size()},
                   {"layers", model.layers()},
                   {"heads", model.heads()},
                   {"kv_heads", model.kv_heads()},
                   {"head_dim", model.head_dim()},
                   {"vocab_size", model.vocab_size()},
                   {"max_positions", model.max_positions()},
                   {"tied_embeddings", model.tied_embeddings()},
                   {"compute", nameOf(model.compute())},
                   {"parameters", parameters.all},
                   {"trainable_parameters", parameters.trainable}};
  json["task"] = {
      {"name", text(task.name())},       {"head", nameOf(task.head())},
      {"labels", task.labels()},         {"batch", task.batch()},
      {"max_length", task.max_length()}, {"accumulation", task.accumulation()}};
  json["adapter"] = {{"kind", text(adapter.kind())},
                     {"rank", adapter.rank()},
                     {"alpha", adapter.alpha()},
                     {"dropout", adapter.dropout()},
                     {"use_rslora", adapter.use_rslora()},
                     {"targets", listOf(adapter.targets())},
                     {"targets_is_regex", adapter.targets_is_regex()},
                     {"modules", listOf(adapter.modules())},
                     {"rank_pattern", patternsOf(adapter.rank_pattern())},
                     {"alpha_pattern", patternsOf(adapter.alpha_pattern())}};
  if (auto *a = adapter.adalora())
    json["adapter"]["adalora"] = {{"target_r", a->target_rank()},
                                  {"tinit", a->tinit()},
                                  {"tfinal", a->tfinal()},
                                  {"deltaT", a->delta_t()},
                                  {"beta1", a->beta1()},
                                  {"beta2", a->beta2()},
                                  {"orth_reg_weight", a->orth_reg_weight()},
                                  {"total_step", a->total_step()}};
  auto bytes = plannedBytes(plan);
  std::uint64_t total = 0;
  for (std::size_t c = 0; c < kCategories; ++c) {
    json["memory"][nameOf(static_cast<fb::Category>(c))] = bytes[c];
    total += bytes[c];
  }
  json["memory"]["total"] = total;
  json["tensors"] = Json::array();
  for (std::size_t i = 0; i < plan.tensorCount(); ++i) {
    auto &tensor = plan.tensor(i);
    auto &buffer = plan.buffer(tensor.buffer());
    Json shape = Json::array();
    for (std::size_t d = 0; d < sizeOf(buffer.shape()); ++d)
      shape.push_back(buffer.shape()->Get(d));
    json["tensors"].push_back({{"name", text(tensor.name())},
                               {"role", nameOf(tensor.role())},
                               {"dtype", nameOf(buffer.dtype())},
                               {"local_shape", shape},
                               {"pitch", buffer.pitch()}});
  }
  json["programs"] = Json::array();
  for (std::size_t i = 0; i < plan.programCount(); ++i) {
    auto &program = plan.program(i);
    json["programs"].push_back(
        {{"name", text(program.name())},
         {"kind", nameOf(program.kind())},
         {"tokens", program.tokens()},
         {"sequences", program.sequences()},
         {"streams", program.streams()},
         {"steps", program.steps()->size()},
         {"steps_by_kind", stepsByKind(program)},
         {"programmatic_launches", programmaticLaunches(program)},
         {"flops", program.flops()},
         {"bytes", program.bytes()},
         {"activation_bytes", program.activation_bytes()}});
  }
  json["collectives"] = ledgerJson(plan);
  json["collective_totals"] = totalsJson(plan);
  json["kernels"] = Json::array();
  auto uses = kernelUses(plan);
  for (std::size_t i = 0; i < uses.size(); ++i) {
    auto *kernel = root.kernels()->Get(static_cast<std::uint32_t>(i));
    json["kernels"].push_back({{"symbol", text(kernel->symbol())},
                               {"description", text(kernel->description())},
                               {"code_object", kernel->code_object()},
                               {"launches", uses[i]}});
  }
  json["code_objects"] = Json::array();
  for (std::size_t i = 0; i < sizeOf(root.code_objects()); ++i) {
    auto *object = root.code_objects()->Get(i);
    json["code_objects"].push_back({{"format", nameOf(object->format())},
                                    {"arch", text(object->arch())},
                                    {"bytes", object->data()->size()}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

} // namespace llamarun
