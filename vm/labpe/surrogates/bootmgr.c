/* A GRUB module with what GRUB's language lacks to stand in for Microsoft's BIOS boot manager.
 *
 *   bootmgr_server VARIABLE            the boot server, as the PXE ROM remembers it
 *   bootmgr_path FILE ENDING VARIABLE  the path in a boot configuration that ends so
 *   bootmgr_word FILE PREFIX VARIABLE  the word of a text that begins so
 *   bootmgr_wrap FILE                  (proc)/wim.head and (proc)/wim.tail: around FILE, they make
 *                                      an archive that a kernel unpacks as boot.wim
 *
 * Debian packs no headers of GRUB: what is used of it is declared here, as in 2.06 (i386 passes
 * three arguments in registers and lets the callee clean the stack). GRUB loads GPLv3+ modules
 * only, so this file is under the GNU General Public License, version 3 or later.
 *
 * References: GRUB 2.06 include/grub/{file,procfs,command}.h; PXE 2.1 §3.4.1 (cached packets);
 * RFC 951 (siaddr); cpio(5).
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

struct file { /* the head of struct grub_file */
    char *name;
    void *device, *fs;
    u64 offset, progress_offset, last_progress_time, last_progress_offset, estimated_speed;
    u64 size;
};
struct proc_entry {
    struct proc_entry *next, **prev;
    const char *name;
    char *(*contents)(u32 *size);
};
typedef int (*command_function)(void *command, int count, char **arguments);

extern struct proc_entry *grub_procfs_entries;
struct file *grub_file_open(const char *name, int type);
int grub_file_read(struct file *file, void *buffer, u32 size);
int grub_file_close(struct file *file);
void *grub_malloc(u32 size);
void grub_free(void *memory);
int grub_env_set(const char *name, const char *value);
int grub_error(int number, const char *format, ...);
char *grub_xasprintf(const char *format, ...);
char *grub_strdup(const char *text);
u32 grub_strlen(const char *text);
u8 *grub_pxe_get_cached(unsigned short type);
void grub_list_push(void *head, void *item);
void *grub_register_command_prio(const char *name, command_function function, const char *summary,
                                 const char *description, int priority);

#define ANY_FILE 0x2d /* GRUB_FILE_TYPE_CMP: no filter, no signature */
#define BAD_ARGUMENT 18
#define NOT_FOUND 15
#define PXE_REPLY 3
#define SIADDR 20
#define PATH_LIMIT 256

static const char license[] __attribute__((used, section(".module_license"))) = "LICENSE=GPLv3+";
static const char module_name[] __attribute__((used, section(".modname"))) = "bootmgr";
static const char needed_modules[] __attribute__((used, section(".moddeps"))) = "pxe\0procfs";

static u32 wim_size;

static u8 *read_all(const char *path, u32 *size)
{
    struct file *file = grub_file_open(path, ANY_FILE);
    u8 *data;
    u32 done = 0;
    int count = 1;

    if (!file)
        return 0;
    *size = (u32)file->size;
    data = grub_malloc(*size + 1);
    while (data && done < *size && count > 0) {
        count = grub_file_read(file, data + done, *size - done);
        done += count > 0 ? (u32)count : 0;
    }
    grub_file_close(file);
    if (data && done == *size)
        return data;
    grub_free(data);
    return 0;
}

static int server(void *command, int count, char **arguments)
{
    u8 *packet = grub_pxe_get_cached(PXE_REPLY);
    char *text;

    (void)command;
    if (count != 1 || !packet)
        return grub_error(BAD_ARGUMENT, "no answer of a boot server is remembered");
    text = grub_xasprintf("%d.%d.%d.%d", packet[SIADDR], packet[SIADDR + 1], packet[SIADDR + 2],
                          packet[SIADDR + 3]);
    grub_env_set(arguments[0], text);
    grub_free(text);
    return 0;
}

/* The UTF-16 text that begins with a backslash and ends like `ending`. */
static int find_path(const u8 *hive, u32 size, const char *ending, char *path)
{
    u32 length = grub_strlen(ending), at, same, start, out;

    for (at = 0; at + 2 * length + 2 <= size; at++) {
        for (same = 0; same < length; same++)
            if ((hive[at + 2 * same] | 32) != (u8)ending[same] || hive[at + 2 * same + 1])
                break;
        if (same < length)
            continue;
        for (start = at; start >= 2 && hive[start - 2] > 32 && hive[start - 2] < 127; start -= 2)
            if (hive[start - 1])
                break;
        if (hive[start] != '\\')
            continue;
        for (out = 0; start < at + 2 * length && out < PATH_LIMIT - 1; start += 2)
            path[out++] = (char)hive[start];
        path[out] = 0;
        return 1;
    }
    return 0;
}

static int find_word(const u8 *text, u32 size, const char *prefix, char *word)
{
    u32 length = grub_strlen(prefix), at, same, out = 0;

    for (at = 0; at + length < size; at++) {
        for (same = 0; same < length && text[at + same] == (u8)prefix[same];)
            same++;
        if (same < length)
            continue;
        while (at < size && text[at] > 32 && out < PATH_LIMIT - 1)
            word[out++] = (char)text[at++];
        word[out] = 0;
        return 1;
    }
    return 0;
}

static int search(int count, char **arguments,
                  int (*find)(const u8 *, u32, const char *, char *))
{
    char found[PATH_LIMIT];
    u32 size;
    u8 *data;
    int is_there;

    if (count != 3)
        return grub_error(BAD_ARGUMENT, "three arguments expected");
    data = read_all(arguments[0], &size);
    if (!data)
        return grub_error(NOT_FOUND, "%s could not be read", arguments[0]);
    is_there = find(data, size, arguments[1], found);
    grub_free(data);
    if (!is_there)
        return grub_error(NOT_FOUND, "no %s in %s", arguments[1], arguments[0]);
    grub_env_set(arguments[2], found);
    return 0;
}

static int path(void *command, int count, char **arguments)
{
    (void)command;
    return search(count, arguments, find_path);
}

static int word(void *command, int count, char **arguments)
{
    (void)command;
    return search(count, arguments, find_word);
}

/* A header of a newc archive with its name and NUL, padded to four bytes. */
static char *header(const char *before, const char *entry, u32 size, u32 *length)
{
    u32 named = grub_strlen(entry) + 1, skipped = grub_strlen(before);
    char *text = grub_xasprintf("%s070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s~~~~",
                                before, 1, 0100444, 0, 0, 1, 0, size, 0, 0, 0, 0, named, 0, entry);
    u32 at;

    *length = skipped + (110 + named + 3) / 4 * 4;
    for (at = 0; text && at < *length; at++)
        if (text[at] == '~')
            text[at] = 0;
    return text;
}

static char *head(u32 *size)
{
    return header("", "boot.wim", wim_size, size);
}

/* GRUB pads what lies before this to four bytes, as the format wants it. */
static char *tail(u32 *size)
{
    return header("", "TRAILER!!!", 0, size);
}

static struct proc_entry head_entry = {0, 0, "wim.head", head};
static struct proc_entry tail_entry = {0, 0, "wim.tail", tail};

static int wrap(void *command, int count, char **arguments)
{
    struct file *file = count == 1 ? grub_file_open(arguments[0], ANY_FILE) : 0;

    (void)command;
    if (!file)
        return grub_error(NOT_FOUND, "no file to wrap");
    wim_size = (u32)file->size;
    grub_file_close(file); /* before its end: GRUB tells the server so by ERROR 0 */
    return 0;
}

void grub_mod_init(void *module);
void grub_mod_init(void *module)
{
    (void)module;
    grub_register_command_prio("bootmgr_server", server, "VARIABLE", "The boot server.", 0);
    grub_register_command_prio("bootmgr_path", path, "FILE ENDING VARIABLE", "A path.", 0);
    grub_register_command_prio("bootmgr_word", word, "FILE PREFIX VARIABLE", "A word.", 0);
    grub_register_command_prio("bootmgr_wrap", wrap, "FILE", "Wrap FILE as boot.wim.", 0);
    grub_list_push(&grub_procfs_entries, &head_entry);
    grub_list_push(&grub_procfs_entries, &tail_entry);
}
