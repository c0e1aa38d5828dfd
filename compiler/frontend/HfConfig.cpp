//===- HfConfig.cpp - config.json of a Llama checkpoint -------------------===//
#include "compiler/frontend/HfConfig.h"

#include "compiler/frontend/JsonFile.h"

#include <cmath>

using namespace llvm;

namespace llamac {

// A hostile config may not make later arithmetic overflow: the product of any
// two sizes and the bytes of an element stays far below 2^63.
static constexpr int64_t kMaxSize = int64_t(1) << 24;
static constexpr int64_t kMaxLayers = 10000; // llm.layers has the same limit
static constexpr int64_t kMaxPositions = INT32_MAX; // positions are int32
static constexpr uint64_t kMaxFileBytes = 1 << 20;  // label lists can be long

namespace {
/// Reads the keys of one object. After the first error every read returns its
/// fallback, so the caller checks once at the end.
class Keys {
public:
  /// `prefix` names the object in messages: "" or "rope_scaling.".
  Keys(const json::Object &object, StringRef path, StringRef prefix,
       std::string &error)
      : object(object), path(path), prefix(prefix), error(error) {}

  void fail(StringRef key, const Twine &what) {
    if (error.empty())
      error = (path + ": " + prefix + key + " " + what).str();
  }
  bool failed() const { return !error.empty(); }

  /// Null where the key is absent or null: Transformers treats both alike.
  const json::Value *find(StringRef key) const {
    const json::Value *value = object.get(key);
    return value && value->kind() != json::Value::Null ? value : nullptr;
  }

  int64_t integer(StringRef key, std::optional<int64_t> fallback, int64_t min,
                  int64_t max) {
    const json::Value *value = find(key);
    if (!value)
      return absent(key, fallback, min);
    std::optional<int64_t> number = value->getAsInteger();
    if (!number) {
      fail(key, "is " + briefly(*value) + ", must be an integer");
      return min;
    }
    if (*number < min || *number > max) {
      fail(key, "is " + Twine(*number) + ", must be " + Twine(min) + " to " +
                    Twine(max));
      return min;
    }
    return *number;
  }

  int64_t size(StringRef key, std::optional<int64_t> fallback = std::nullopt,
               int64_t max = kMaxSize) {
    return integer(key, fallback, 1, max);
  }

  double number(StringRef key, std::optional<double> fallback,
                bool zero = false) {
    const json::Value *value = find(key);
    if (!value)
      return absent(key, fallback, 1.0);
    std::optional<double> number = value->getAsNumber();
    if (!number || !std::isfinite(*number) || *number < 0 ||
        (*number == 0 && !zero)) {
      fail(key, "is " + briefly(*value) +
                    (zero ? ", must be a number of at least 0"
                          : ", must be a positive number"));
      return 1;
    }
    return *number;
  }

  bool boolean(StringRef key, bool fallback) {
    const json::Value *value = find(key);
    if (!value)
      return fallback;
    std::optional<bool> flag = value->getAsBoolean();
    if (!flag)
      fail(key, "is " + briefly(*value) + ", must be true or false");
    return flag.value_or(fallback);
  }

  /// Points into the object.
  StringRef string(StringRef key, StringRef fallback) {
    const json::Value *value = find(key);
    if (!value)
      return fallback;
    std::optional<StringRef> text = value->getAsString();
    if (!text)
      fail(key, "is " + briefly(*value) + ", must be a string");
    return text.value_or(fallback);
  }

  /// Null where absent.
  const json::Object *child(StringRef key) {
    const json::Value *value = find(key);
    if (!value)
      return nullptr;
    const json::Object *child = value->getAsObject();
    if (!child)
      fail(key, "is " + briefly(*value) + ", must be an object");
    return child;
  }

  const json::Object &object;
  StringRef path, prefix;
  std::string &error;

private:
  template <typename T>
  T absent(StringRef key, std::optional<T> fallback, T dummy) {
    if (!fallback)
      fail(key, "is missing");
    return fallback.value_or(dummy);
  }
};
} // namespace

/// What LlamaConfig can say and we do not compute.
static void refuseUnsupported(Keys &keys) {
  StringRef type = keys.string("model_type", "");
  if (type.empty())
    keys.fail("model_type", "is missing");
  else if (type != "llama")
    keys.fail("model_type", "is \"" + type + "\", only \"llama\" is supported");
  StringRef activation = keys.string("hidden_act", "silu");
  if (activation != "silu")
    keys.fail("hidden_act",
              "is \"" + activation + "\", only \"silu\" is supported");
  for (StringRef key : {"attention_bias", "mlp_bias"})
    if (keys.boolean(key, false))
      keys.fail(key, "is true, biases are not supported");
  if (keys.number("attention_dropout", 0.0, /*zero=*/true) != 0)
    keys.fail("attention_dropout", "is not 0, which is not supported");
  if (keys.find("quantization_config"))
    keys.fail("quantization_config",
              "is present, quantized weights are not supported");
  if (keys.number("partial_rotary_factor", 1.0) != 1)
    keys.fail("partial_rotary_factor", "is not 1, which is not supported");
}

static HfDType readDType(Keys &keys) {
  // Version 5 writes dtype and lets it win over an older key.
  StringRef key = keys.find("dtype") ? "dtype" : "torch_dtype";
  StringRef dtype = keys.string(key, "float32");
  if (dtype == "float32")
    return HfDType::F32;
  if (dtype == "bfloat16")
    return HfDType::BF16;
  if (dtype == "float16")
    return HfDType::F16;
  keys.fail(key, "is \"" + dtype +
                     "\", must be \"float32\", \"bfloat16\" or \"float16\"");
  return HfDType::F32;
}

static HfRopeScaling readLlama3Scaling(Keys &rope, Keys &keys) {
  HfRopeScaling scaling;
  scaling.factor = rope.number("factor", std::nullopt);
  scaling.lowFreqFactor = rope.number("low_freq_factor", std::nullopt);
  scaling.highFreqFactor = rope.number("high_freq_factor", std::nullopt);
  // Version 5 also accepts it beside the object.
  StringRef length = "original_max_position_embeddings";
  Keys &holder = rope.find(length) || !keys.find(length) ? rope : keys;
  scaling.originalMaxPositions =
      holder.size(length, std::nullopt, kMaxPositions);
  if (scaling.factor < 1)
    rope.fail("factor", "is less than 1");
  if (scaling.lowFreqFactor >= scaling.highFreqFactor)
    rope.fail("low_freq_factor", "must be less than high_freq_factor");
  return scaling;
}

/// rope_theta and rope_scaling (version 4), or rope_parameters (version 5).
static void readRope(Keys &keys, HfConfig &config) {
  config.ropeTheta = keys.number("rope_theta", 1e4);
  const json::Object *oldStyle = keys.child("rope_scaling");
  const json::Object *newStyle = keys.child("rope_parameters");
  if (oldStyle && newStyle && *oldStyle != *newStyle)
    keys.fail("rope_scaling", "and rope_parameters contradict each other");
  const json::Object *object = newStyle ? newStyle : oldStyle;
  if (!object || keys.failed())
    return;

  Keys rope(*object, keys.path, newStyle ? "rope_parameters." : "rope_scaling.",
            keys.error);
  config.ropeTheta = rope.number("rope_theta", config.ropeTheta);
  if (rope.number("partial_rotary_factor", 1.0) != 1)
    rope.fail("partial_rotary_factor", "is not 1, which is not supported");
  StringRef key =
      !rope.find("rope_type") && rope.find("type") ? "type" : "rope_type";
  StringRef type = rope.string(key, "");
  if (type == "llama3")
    config.ropeScaling = readLlama3Scaling(rope, keys);
  else if (type.empty() && rope.find("factor"))
    rope.fail("rope_type", "is missing");
  else if (!type.empty() && type != "default")
    rope.fail(key, "is \"" + type +
                       "\", only \"llama3\" and \"default\" are supported");
}

/// Absent, or null, or one id.
static std::optional<int64_t> readToken(Keys &keys, StringRef key) {
  if (!keys.find(key))
    return std::nullopt;
  // -1 is how old conversions write "none".
  int64_t id = keys.integer(key, std::nullopt, -1, INT32_MAX);
  return id < 0 ? std::nullopt : std::optional(id);
}

static void readTokens(Keys &keys, HfConfig &config) {
  config.bosTokenId = readToken(keys, "bos_token_id");
  config.padTokenId = readToken(keys, "pad_token_id");
  const json::Value *eos = keys.find("eos_token_id");
  const json::Array *list = eos ? eos->getAsArray() : nullptr;
  if (!list) {
    if (std::optional<int64_t> id = readToken(keys, "eos_token_id"))
      config.eosTokenIds.push_back(*id);
    return;
  }
  for (const json::Value &item : *list) {
    std::optional<int64_t> id = item.getAsInteger();
    if (!id || *id < 0 || *id > INT32_MAX)
      return keys.fail("eos_token_id", "has " + briefly(item) +
                                           ", must be a list of token ids");
    config.eosTokenIds.push_back(*id);
  }
}

static void readSizes(Keys &keys, HfConfig &config) {
  config.hiddenSize = keys.size("hidden_size");
  config.intermediateSize = keys.size("intermediate_size");
  config.numLayers = keys.size("num_hidden_layers", std::nullopt, kMaxLayers);
  config.numHeads = keys.size("num_attention_heads");
  config.numKvHeads = keys.size("num_key_value_heads", config.numHeads);
  config.vocabSize = keys.size("vocab_size");
  config.maxPositions =
      keys.size("max_position_embeddings", 2048, kMaxPositions);
  if (keys.failed())
    return;
  if (config.numHeads % config.numKvHeads != 0)
    return keys.fail("num_attention_heads",
                     "is " + Twine(config.numHeads) +
                         ", not a multiple of num_key_value_heads " +
                         Twine(config.numKvHeads));
  if (!keys.find("head_dim") && config.hiddenSize % config.numHeads != 0)
    return keys.fail("hidden_size",
                     "is " + Twine(config.hiddenSize) +
                         ", not a multiple of num_attention_heads " +
                         Twine(config.numHeads) + ", and head_dim is missing");
  config.headDim = keys.size("head_dim", config.hiddenSize / config.numHeads);
  if (config.headDim % 2 != 0)
    return keys.fail("head_dim", "is " + Twine(config.headDim) +
                                     ", must be even: rotary embedding turns "
                                     "pairs");
  if (config.numHeads * config.headDim > kMaxSize)
    return keys.fail("head_dim", "is " + Twine(config.headDim) + ": " +
                                     Twine(config.numHeads) +
                                     " heads of it are more than " +
                                     Twine(kMaxSize) + " columns");
}

static Expected<HfConfig> parseObject(const json::Object &object,
                                      StringRef path) {
  std::string error;
  Keys keys(object, path, "", error);
  HfConfig config;
  refuseUnsupported(keys);
  readSizes(keys, config);
  config.rmsNormEps = keys.number("rms_norm_eps", 1e-6);
  config.initializerRange =
      keys.number("initializer_range", 0.02, /*zero=*/true);
  config.tieWordEmbeddings = keys.boolean("tie_word_embeddings", false);
  config.dtype = readDType(keys);
  readRope(keys, config);
  readTokens(keys, config);
  if (!error.empty())
    return createStringError(inconvertibleErrorCode(), error);
  return config;
}

Expected<HfConfig> parseHfConfig(StringRef text, StringRef path) {
  Expected<json::Object> object = parseJsonObject(text, path);
  if (!object)
    return object.takeError();
  return parseObject(*object, path);
}

Expected<HfConfig> readHfConfig(StringRef path) {
  Expected<json::Object> object = readJsonObject(path, kMaxFileBytes);
  if (!object)
    return object.takeError();
  return parseObject(*object, path);
}

} // namespace llamac
