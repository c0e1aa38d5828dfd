#include "dialects/llm/LlmDialect.h"
