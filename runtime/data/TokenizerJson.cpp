//===- TokenizerJson.cpp - Reading tokenizer.json -------------------------===//
//
// The format is serde's image of huggingface/tokenizers' structs: every part is
// an object with a "type".
//
//===----------------------------------------------------------------------===//

#include "runtime/data/JsonNode.h"
#include "runtime/data/Tokenizer.h"
#include "runtime/data/Utf8.h"

namespace llamarun {

namespace {

/// Where a part's errors come from: "tokenizer.json: normalizer.pattern".
std::string originOf(const JsonNode &node, std::string_view what) {
  return node.fileName() + ": " + std::string(what);
}

/// The parts of a "Sequence", or the one part that `node` is. Sequences may
/// nest as deep as the JSON may.
void flatten(const JsonNode &node, std::string_view listKey,
             std::vector<JsonNode> &parts) {
  if (node.at("type").string() != "Sequence") {
    parts.push_back(node);
    return;
  }
  for (const JsonNode &element : node.at(listKey).elements())
    flatten(element, listKey, parts);
}

std::vector<JsonNode> partsOf(const JsonNode &root, std::string_view key,
                              std::string_view listKey) {
  std::vector<JsonNode> parts;
  if (std::optional<JsonNode> node = root.find(key))
    flatten(*node, listKey, parts);
  return parts;
}

/// {"String": s} or {"Regex": r}.
Regex readPattern(const JsonNode &pattern, std::string_view what) {
  if (std::optional<JsonNode> literal = pattern.find("String")) {
    if (literal->string().empty())
      literal->error("must not be empty");
    return Regex::literal(literal->string(), originOf(pattern, what));
  }
  return Regex(pattern.at("Regex").string(), originOf(pattern, what));
}

Normalizer readNormalizer(const JsonNode &root) {
  Normalizer normalizer;
  for (const JsonNode &node : partsOf(root, "normalizer", "normalizers")) {
    const std::string &type = node.at("type").string();
    if (type == "Prepend")
      normalizer.addPrepend(node.at("prepend").string());
    else if (type == "Replace")
      normalizer.addReplace(readPattern(node.at("pattern"), "normalizer"),
                            node.at("content").string());
    else
      node.error("normalizer \"", type,
                 "\" is not supported (Prepend, Replace, Sequence are)");
  }
  return normalizer;
}

SplitBehavior readBehavior(const JsonNode &node) {
  const std::string &name = node.string();
  if (name == "Removed")
    return SplitBehavior::Removed;
  if (name == "Isolated")
    return SplitBehavior::Isolated;
  if (name == "MergedWithPrevious")
    return SplitBehavior::MergedWithPrevious;
  if (name == "MergedWithNext")
    return SplitBehavior::MergedWithNext;
  if (name == "Contiguous")
    return SplitBehavior::Contiguous;
  node.error("unknown split behavior \"", name, "\"");
}

const std::string &readCharacter(const JsonNode &node) {
  const std::string &text = node.string();
  if (text.empty() || utf8Length(text[0]) != text.size())
    node.error("expected one character, found \"", text, "\"");
  return text;
}

/// "prepend_scheme", or its older form "add_prefix_space".
PreTokenizer::Prepend readPrependScheme(const JsonNode &node) {
  bool never = !node.booleanOr("add_prefix_space", true);
  std::optional<JsonNode> scheme = node.find("prepend_scheme");
  if (!scheme)
    return never ? PreTokenizer::Prepend::Never : PreTokenizer::Prepend::Always;
  const std::string &name = scheme->string();
  if (name == "never")
    return PreTokenizer::Prepend::Never;
  if (never)
    scheme->error("\"", name, "\" contradicts add_prefix_space false");
  if (name == "always")
    return PreTokenizer::Prepend::Always;
  if (name == "first")
    return PreTokenizer::Prepend::First;
  scheme->error("expected always, first or never, found \"", name, "\"");
}

PreTokenizer readPreTokenizer(const JsonNode &root) {
  PreTokenizer preTokenizer;
  for (const JsonNode &node : partsOf(root, "pre_tokenizer", "pretokenizers")) {
    const std::string &type = node.at("type").string();
    if (type == "Split")
      preTokenizer.addSplit(readPattern(node.at("pattern"), "pre_tokenizer"),
                            readBehavior(node.at("behavior")),
                            node.booleanOr("invert", false));
    else if (type == "ByteLevel")
      preTokenizer.addByteLevel(node.at("add_prefix_space").boolean(),
                                node.booleanOr("use_regex", true));
    else if (type == "Metaspace")
      preTokenizer.addMetaspace(readCharacter(node.at("replacement")),
                                readPrependScheme(node),
                                node.booleanOr("split", true));
    else
      node.error("pre-tokenizer \"", type, "\" is not supported (Split, ",
                 "ByteLevel, Metaspace, Sequence are)");
  }
  return preTokenizer;
}

/// "a b" or ["a", "b"].
void readMerges(const JsonNode &merges, BytePairEncoder &model) {
  for (const nlohmann::json &merge : merges.array()) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
        merge[1].is_string()) {
      model.addMerge(merge[0].get_ref<const std::string &>(),
                     merge[1].get_ref<const std::string &>());
      continue;
    }
    std::string_view text;
    if (merge.is_string())
      text = merge.get_ref<const std::string &>();
    // The header line of a merges.txt may have come along.
    if (text.starts_with("#version"))
      continue;
    size_t space = text.find(' ');
    if (space == std::string_view::npos ||
        text.find(' ', space + 1) != std::string_view::npos)
      merges.error("expected \"left right\" or [\"left\", \"right\"], found ",
                   merge.dump().substr(0, 80));
    model.addMerge(text.substr(0, space), text.substr(space + 1));
  }
}

std::unique_ptr<BytePairEncoder> readModel(const JsonNode &node) {
  // Files of the first versions do not say the type.
  if (std::optional<JsonNode> type = node.find("type"))
    if (type->string() != "BPE")
      type->error("model \"", type->string(), "\" is not supported (BPE is)");
  for (const char *key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (std::optional<JsonNode> affix = node.find(key))
      if (!affix->string().empty())
        affix->error("is not supported");
  if (node.find("dropout"))
    node.at("dropout").error("is not supported");

  BytePairOptions options;
  if (std::optional<JsonNode> unk = node.find("unk_token"))
    options.unkToken = unk->string();
  options.fuseUnk = node.booleanOr("fuse_unk", false);
  options.byteFallback = node.booleanOr("byte_fallback", false);
  options.ignoreMerges = node.booleanOr("ignore_merges", false);

  JsonNode vocab = node.at("vocab");
  Vocabulary vocabulary;
  vocabulary.reserve(vocab.object().size());
  for (const auto &[token, id] : vocab.object().items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= kMaxVocabularySize)
      vocab.error("the id of \"", token, "\" must be a whole number below ",
                  kMaxVocabularySize);
    vocabulary.emplace(token, id.get<int32_t>());
  }
  try {
    auto model = std::make_unique<BytePairEncoder>(std::move(vocabulary),
                                                   std::move(options));
    readMerges(node.at("merges"), *model);
    return model;
  } catch (const Error &error) {
    // Errors of the model itself do not know the file.
    if (std::string_view(error.what()).starts_with(node.fileName()))
      throw;
    node.error(error.what());
  }
}

/// An id that the model gives the token's text wins over the file's, as in the
/// reference; a text that occurs twice counts the last time.
std::vector<AddedToken> readAddedTokens(const JsonNode &root,
                                        const BytePairEncoder &model) {
  std::vector<AddedToken> tokens;
  std::optional<JsonNode> list = root.find("added_tokens");
  if (!list)
    return tokens;
  std::unordered_map<std::string, size_t> known;
  for (const JsonNode &node : list->elements()) {
    AddedToken token;
    token.content = node.at("content").string();
    token.id = node.at("id").id(kMaxVocabularySize);
    if (std::optional<int32_t> id = model.idOf(token.content))
      token.id = *id;
    token.singleWord = node.booleanOr("single_word", false);
    token.lstrip = node.booleanOr("lstrip", false);
    token.rstrip = node.booleanOr("rstrip", false);
    token.special = node.booleanOr("special", false);
    token.normalized = node.booleanOr("normalized", !token.special);
    auto [entry, isNew] = known.try_emplace(token.content, tokens.size());
    if (isNew)
      tokens.push_back(std::move(token));
    else
      tokens[entry->second] = std::move(token);
  }
  return tokens;
}

using Element = PostProcessor::Element;

std::vector<Element> readTemplate(const JsonNode &list,
                                  const JsonNode &specials, size_t sequences) {
  std::vector<Element> elements;
  size_t uses[2] = {0, 0};
  for (const JsonNode &node : list.elements()) {
    if (std::optional<JsonNode> sequence = node.find("Sequence")) {
      const std::string &name = sequence->at("id").string();
      if (name != "A" && name != "B")
        sequence->error("sequence \"", name, "\" is neither A nor B");
      ++uses[name == "B"];
      elements.push_back(
          {name == "A" ? Element::Kind::A : Element::Kind::B, {}});
      continue;
    }
    const std::string &name = node.at("SpecialToken").at("id").string();
    Element element{Element::Kind::Special, {}};
    for (const JsonNode &id : specials.at(name).at("ids").elements())
      element.ids.push_back(id.id(kMaxVocabularySize));
    elements.push_back(std::move(element));
  }
  if (uses[0] != 1 || uses[1] != sequences - 1)
    list.error("must use ", sequences == 1 ? "A once and B never" : "A and B",
               sequences == 1 ? "" : " once each");
  if (PostProcessor::addedTokens(elements) > 1024)
    list.error("adds more than 1024 special tokens");
  return elements;
}

PostProcessor readPostProcessor(const JsonNode &root) {
  PostProcessor processor;
  bool seen = false;
  for (const JsonNode &node : partsOf(root, "post_processor", "processors")) {
    const std::string &type = node.at("type").string();
    // ByteLevel only moves offsets, which we do not keep.
    if (type == "ByteLevel")
      continue;
    if (type != "TemplateProcessing")
      node.error("post-processor \"", type, "\" is not supported (",
                 "TemplateProcessing, ByteLevel, Sequence are)");
    if (seen)
      node.error("there is more than one TemplateProcessing");
    seen = true;
    JsonNode specials = node.at("special_tokens");
    processor.single = readTemplate(node.at("single"), specials, 1);
    processor.pair = readTemplate(node.at("pair"), specials, 2);
  }
  return processor;
}

Decoder readDecoder(const JsonNode &root) {
  Decoder decoder;
  for (const JsonNode &node : partsOf(root, "decoder", "decoders")) {
    const std::string &type = node.at("type").string();
    if (type == "ByteLevel") {
      decoder.steps.emplace_back(Decoder::ByteLevel{});
    } else if (type == "ByteFallback") {
      decoder.steps.emplace_back(Decoder::ByteFallback{});
    } else if (type == "Fuse") {
      decoder.steps.emplace_back(Decoder::Fuse{});
    } else if (type == "Replace") {
      decoder.steps.emplace_back(
          Decoder::Replace{node.at("pattern").at("String").string(),
                           node.at("content").string()});
    } else if (type == "Strip") {
      auto count = [&](const char *key) {
        return static_cast<size_t>(node.at(key).id(1 << 20));
      };
      decoder.steps.emplace_back(Decoder::Strip{
          readCharacter(node.at("content")), count("start"), count("stop")});
    } else if (type == "Metaspace") {
      decoder.steps.emplace_back(Decoder::Metaspace{
          readCharacter(node.at("replacement")),
          readPrependScheme(node) != PreTokenizer::Prepend::Never});
    } else {
      node.error(
          "decoder \"", type, "\" is not supported (ByteLevel, ",
          "ByteFallback, Fuse, Replace, Strip, Metaspace, Sequence are)");
    }
  }
  return decoder;
}

} // namespace

std::unique_ptr<Tokenizer>
Tokenizer::fromJsonFile(const std::filesystem::path &file) {
  TokenizerParts parts;
  parts.file = file.string();
  nlohmann::json document = readJsonFile(file);
  JsonNode root(document, parts.file);
  if (std::optional<JsonNode> version = root.find("version"))
    if (version->string() != "1.0")
      version->error("\"", version->string(),
                     "\" is an unknown version (1.0 is known)");
  parts.normalizer = readNormalizer(root);
  parts.preTokenizer = readPreTokenizer(root);
  parts.model = readModel(root.at("model"));
  parts.addedTokens = readAddedTokens(root, *parts.model);
  parts.postProcessor = readPostProcessor(root);
  parts.decoder = readDecoder(root);
  document = nullptr; // the largest part, before the tables are made
  return std::make_unique<Tokenizer>(std::move(parts));
}

} // namespace llamarun
