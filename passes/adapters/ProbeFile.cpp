//===- ProbeFile.cpp - What llamarun probe has written --------------------===//
#include "passes/adapters/ProbeFile.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>

using namespace llamac;
namespace json = llvm::json;

static llvm::Error wrong(llvm::StringRef path, const llvm::Twine &what) {
  return llvm::createStringError(path + ": " + what);
}

/// "input.mean, input.std, ..." of one module of the file.
static std::string namesIn(const json::Object &module) {
  std::vector<std::string> names;
  for (auto &[part, value] : module)
    if (const json::Object *statistics = value.getAsObject())
      for (auto &[name, number] : *statistics)
        if (number.getAsNumber())
          names.push_back((llvm::StringRef(part) + "." + name.str()).str());
  llvm::sort(names);
  std::string text;
  for (auto &name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text;
}

llvm::Expected<ProbeFile> ProbeFile::read(llvm::StringRef path,
                                          llvm::StringRef statistic) {
  auto text = llvm::MemoryBuffer::getFile(path);
  if (!text)
    return wrong(path, text.getError().message());
  auto root = json::parse((*text)->getBuffer());
  if (!root)
    return wrong(path, llvm::toString(root.takeError()));
  const json::Object *object = root->getAsObject();
  const json::Object *modules = object ? object->getObject("modules") : nullptr;
  if (!modules || object->getString("format") != "llamac-probe")
    return wrong(path, "is no file of llamarun probe: it lacks \"format\": "
                       "\"llamac-probe\" or \"modules\"");
  if (object->getInteger("version") != 1)
    return wrong(path, "has another version than 1, which this llamac reads");
  auto [part, name] = statistic.split('.');
  ProbeFile file;
  file.file = path.str();
  for (auto &[key, value] : *modules) {
    llvm::StringRef module = key;
    const json::Object *parts = value.getAsObject();
    if (!parts)
      return wrong(path, "module '" + module + "' is no object");
    const json::Object *statistics = parts->getObject(part);
    auto number = statistics ? statistics->getNumber(name) : std::nullopt;
    if (!number)
      return wrong(path, "module '" + module + "' has no statistic '" +
                             statistic + "'; it has " + namesIn(*parts));
    if (!std::isfinite(*number) || *number < 0)
      return wrong(path, "module '" + module + "': " + statistic + " is " +
                             llvm::formatv("{0}", *number).str() +
                             "; adapters are placed by numbers of at least 0");
    Module &entry = file.modules[module];
    entry.value = *number;
    const json::Object *weight = parts->getObject("weight");
    const json::Array *shape = weight ? weight->getArray("shape") : nullptr;
    if (shape && shape->size() == 2) {
      entry.out = (*shape)[0].getAsInteger().value_or(0);
      entry.in = (*shape)[1].getAsInteger().value_or(0);
    }
  }
  return file;
}

const ProbeFile::Module *ProbeFile::find(llvm::StringRef module) const {
  auto it = modules.find(module);
  return it == modules.end() ? nullptr : &it->second;
}
