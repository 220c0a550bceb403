/* Stands between the program and the C library, preloaded by a test (LD_PRELOAD): at one step, once the test has armed it,
   the call never returns, or fails as on a disk that is broken. The program knows nothing of it.

   TOLL_STEP is "before|after|fail sync|rename|write PART", PART being a part of the path; in the folder TOLL_FOLDER,
   the file "armed" arms it, and the file "reached" says that the step was reached. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Whether this is the step. The path is that of a file that is open, unless it is given. */
static int is_step(const char *when, const char *call, int file, const char *path)
{
    const char *step = getenv("TOLL_STEP"), *folder = getenv("TOLL_FOLDER");
    char wanted_when[8], wanted_call[8], part[64], name[64], found[PATH_MAX];
    ssize_t length;
    if (!step || !folder || sscanf(step, "%7s %7s %63s", wanted_when, wanted_call, part) != 3)
        return 0;
    if (strcmp(when, wanted_when) || strcmp(call, wanted_call))
        return 0;
    if (!path) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", file);
        length = readlink(name, found, sizeof found - 1);
        found[length < 0 ? 0 : length] = 0;
        path = found;
    }
    if (!strstr(path, part))
        return 0;
    snprintf(found, sizeof found, "%s/armed", folder);
    return !access(found, F_OK);
}

static void reached(void)
{
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s/reached", getenv("TOLL_FOLDER"));
    close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void hold(void)
{
    reached();
    for (;;)
        pause();
}

/* What comes before a call; not 0 where it is to fail. */
static int before(const char *call, int file, const char *path)
{
    if (is_step("before", call, file, path))
        hold();
    if (!is_step("fail", call, file, path))
        return 0;
    reached();
    errno = EIO;
    return 1;
}

/* What comes after it. */
static ssize_t after(const char *call, int file, const char *path, ssize_t outcome)
{
    int error = errno;
    if (is_step("after", call, file, path))
        hold();
    errno = error;
    return outcome;
}

int fsync(int file)
{
    return before("sync", file, 0) ? -1 : (int)after("sync", file, 0, REAL(fsync)(file));
}

int fdatasync(int file)
{
    return before("sync", file, 0) ? -1 : (int)after("sync", file, 0, REAL(fdatasync)(file));
}

int rename(const char *from, const char *to)
{
    return before("rename", 0, to) ? -1 : (int)after("rename", 0, to, REAL(rename)(from, to));
}

ssize_t write(int file, const void *bytes, size_t length)
{
    return before("write", file, 0) ? -1 : after("write", file, 0, REAL(write)(file, bytes, length));
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at)
{
    return before("write", file, 0) ? -1 : after("write", file, 0, REAL(pwrite64)(file, bytes, length, at));
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at)
{
    return before("write", file, 0) ? -1 : after("write", file, 0, REAL(pwrite)(file, bytes, length, at));
}

ssize_t send(int file, const void *bytes, size_t length, int flags)
{
    return before("write", file, 0) ? -1 : after("write", file, 0, REAL(send)(file, bytes, length, flags));
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    return before("write", file, 0) ? -1 : after("write", file, 0, REAL(writev)(file, parts, count));
}
