/* Preloaded into llamarun: the k-th write, fsync or rename that concerns a
 * checkpoint fails, or kills the process.
 *
 *   FAILING_CALL   write, fsync or rename
 *   FAILING_AT     k, from 1; every later one fails too with FAILING_REST=1
 *   FAILING_HOW    enospc, kill, or stall (for a minute)
 *   FAILING_RANK   only in the process of that RANK
 *   FAILING_STEP   only what lies in checkpoint-<step>...
 *   FAILING_COUNT  file to which each such call is told, a letter a call
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int seen;

static int concerns(const char *path) {
  const char *step = getenv("FAILING_STEP");
  char part[64];
  snprintf(part, sizeof part, "/checkpoint-%s", step ? step : "");
  const char *at = strstr(path, part);
  return at && (at[strlen(part)] < '0' || at[strlen(part)] > '9');
}

/* Whether this call is to fail. */
static int fails(const char *call, const char *path) {
  const char *wanted = getenv("FAILING_CALL");
  const char *rank = getenv("FAILING_RANK"), *own = getenv("RANK");
  if (!wanted || !concerns(path) || (rank && (!own || strcmp(rank, own) != 0)))
    return 0;
  const char *count = getenv("FAILING_COUNT");
  if (count) {
    int fd = open(count, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    if (fd >= 0) {
      real(fd, call, 1);
      close(fd);
    }
  }
  if (strcmp(wanted, call) != 0)
    return 0;
  const char *at = getenv("FAILING_AT"), *rest = getenv("FAILING_REST");
  int mine = atomic_fetch_add(&seen, 1) + 1, first = at ? atoi(at) : 0;
  if (first == 0 || !(mine == first || (rest && mine > first)))
    return 0;
  const char *how = getenv("FAILING_HOW");
  if (how && strcmp(how, "kill") == 0)
    kill(getpid(), SIGKILL);
  if (how && strcmp(how, "stall") == 0)
    sleep(60);
  errno = ENOSPC;
  return 1;
}

static const char *pathOf(int fd, char *buffer, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, buffer, size - 1);
  buffer[length < 0 ? 0 : length] = 0;
  return buffer;
}

ssize_t write(int fd, const void *bytes, size_t size) {
  static ssize_t (*real)(int, const void *, size_t);
  if (!real)
    real = dlsym(RTLD_NEXT, "write");
  char path[4096];
  int old = errno;
  if (fails("write", pathOf(fd, path, sizeof path)))
    return -1;
  errno = old;
  return real(fd, bytes, size);
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real)
    real = dlsym(RTLD_NEXT, "fsync");
  char path[4096];
  return fails("fsync", pathOf(fd, path, sizeof path)) ? -1 : real(fd);
}

int rename(const char *from, const char *to) {
  static int (*real)(const char *, const char *);
  if (!real)
    real = dlsym(RTLD_NEXT, "rename");
  return fails("rename", to) ? -1 : real(from, to);
}

int renameat2(int fromFd, const char *from, int toFd, const char *to,
              unsigned flags) {
  static int (*real)(int, const char *, int, const char *, unsigned);
  if (!real)
    real = dlsym(RTLD_NEXT, "renameat2");
  return fails("rename", to) ? -1 : real(fromFd, from, toFd, to, flags);
}
