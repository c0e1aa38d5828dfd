//===- LlmTokenwise.cpp - Which operands are indexed by token -------------===//
#include "dialects/llm/LlmDialect.h"

using namespace llm;

bool RmsNormOp::isTokenOperand(unsigned operand) { return operand == 0; }
bool LinearOp::isTokenOperand(unsigned operand) { return operand == 0; }
bool SwigluOp::isTokenOperand(unsigned) { return true; }
bool CastOp::isTokenOperand(unsigned) { return true; }
bool AddOp::isTokenOperand(unsigned) { return true; }
