#include "tools/llamarun/StopSignal.h"

#include <csignal>
#include <initializer_list>

namespace llamarun {

static volatile std::sig_atomic_t arrived = 0;

static void note(int signal) { arrived = signal; }

void watchStopSignals() {
  for (int signal : std::initializer_list<int>{SIGINT, SIGTERM}) {
    struct sigaction action {};
    action.sa_handler = note;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESETHAND | SA_RESTART;
    sigaction(signal, &action, nullptr);
  }
}

int stopSignal() { return arrived; }

} // namespace llamarun
