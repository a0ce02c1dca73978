/* SPDX-License-Identifier: MIT
 *
 * file_error.c: messages about failed file operations: what was tried, on which path,
 * why it failed, and what to do.
 */
#include "core/file_error.h"
#include "core/text.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The text that hints at a remedy, or NULL. */
static const char *remedy(int number, int writing)
{
    switch (number) {
    case ENOENT:
        return writing ? "make the folder first, or check the path" : "check the path";
    case ENOTDIR:
        return "a part of the path is a file, not a folder: check the path";
    case EISDIR:
        return "give the path of a file";
    case EACCES:
    case EPERM:
        return writing ? "check the permissions of the file and its folder, or write to "
                         "another place"
                       : "check the permissions of the file and its folders";
    case ENOSPC:
    case EDQUOT:
        return "free some space, or write to another place";
    case EROFS:
        return "write to another place";
    case EMFILE:
    case ENFILE:
        return "close some files, or raise the limit of open files";
    case EFBIG:
        return "raise the limit on the size of files, or write to another place";
    default:
        return NULL;
    }
}

static const char *plain_reason(int number)
{
    switch (number) {
    case ENOENT:
        return "no such file or folder";
    case EISDIR:
        return "it is a folder, not a file";
    case EACCES:
        return "permission denied";
    case ENOSPC:
        return "no space left on the device";
    default:
        return NULL;
    }
}

/* The file in the same folder whose name is nearest to a path that does not exist. */
static int nearest_file(const char *path, char best[NAME_MAX + 1])
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char folder[PATH_MAX];
    int size = slash ? (int)(slash - path) + (slash == path) : 1, least = INT_MAX;
    if (size >= PATH_MAX) return 0;
    snprintf(folder, sizeof folder, "%.*s", size, slash ? path : ".");
    DIR *d = opendir(folder);
    if (!d) return 0;
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        const char *found = e->d_name;
        if (found[0] == '.' || !mli_nearest(name, &found, 1)) continue;
        int distance = mli_distance(name, found);
        if (distance > least || (distance == least && strcmp(found, best) > 0)) continue;
        least = distance;
        snprintf(best, NAME_MAX + 1, "%s", found);
    }
    closedir(d);
    return least < INT_MAX;
}

ml_status mli_file_error(ml_error *err, int number, const char *action, const char *path)
{
    char text[128] = "", near[NAME_MAX + 1];
    int writing = strcmp(action, "open") != 0 && strcmp(action, "read") != 0;
    if (number == ENOMEM) return mli_nomem(err);
    if (!err) return ML_E_IO;
    const char *reason = plain_reason(number);
    if (!reason) {
        if (strerror_r(number, text, sizeof text) != 0) {
            snprintf(text, sizeof text, "error %d", number);
        }
        reason = text;
    }
    mli_fail(err, ML_E_IO, "cannot %s: %s", action, reason);
    mli_error_at(err, ML_E_IO, "\"%s\"", path);
    const char *hint = remedy(number, writing);
    if (number == ENOENT && !writing && nearest_file(path, near)) {
        mli_error_hint(err, ML_E_IO, "did you mean \"%s\"?", near);
    } else if (hint) {
        mli_error_hint(err, ML_E_IO, "%s", hint);
    }
    return ML_E_IO;
}
