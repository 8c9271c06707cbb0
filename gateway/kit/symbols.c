/* symbols.c - reads the dynamic symbol table of an ELF object. Interface: symbols.h.
 *
 * The lists of what is allowed are short on purpose: what is on none of them is a reach outside (a
 * socket, a clock, a thread, a file, the environment) or state of the process (malloc, errno,
 * locale). */
#include "kit/symbols.h"

#include "base/ensure.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const allowed[] = {
    "memcpy",        "memmove",          "memset",        "memcmp",       "memchr",
    "memrchr",       "memmem",           "mempcpy",       "strlen",       "strnlen",
    "strcmp",        "strncmp",          "strchr",        "strrchr",      "strstr",
    "strspn",        "strcspn",          "strpbrk",       "strcpy",       "strncpy",
    "bcmp",          "__memcpy_chk",     "__memmove_chk", "__memset_chk", "__strcpy_chk",
    "__strncpy_chk", "__stack_chk_fail",
};

/* Libraries an adapter may use, function by function, and why. What would reach outside of them
 * (xmlReadFile, xmlNanoHTTPFetch, a catalogue) is not named, so it is refused. */
static const struct {
    const char *library, *reason;
    const char *functions[24];
} libraries[] = {
    { "libxml2",
      "XML from outside (ISO 20022): a parser of one's own would be the larger risk. Bytes in "
      "memory go in, events come out; its memory is the process's, given back before the call "
      "returns.",
      { "xmlInitParser", "xmlCreatePushParserCtxt", "xmlParseChunk", "xmlCtxtUseOptions",
        "xmlStopParser", "xmlFreeParserCtxt", "xmlCtxtGetLastError", "xmlReadMemory",
        "xmlCtxtReadMemory", "xmlNewParserCtxt", "xmlDocGetRootElement", "xmlFreeDoc",
        "xmlNodeGetContent", "xmlFirstElementChild", "xmlNextElementSibling", "xmlStrEqual",
        "xmlFree" } },
    { "libqrencode",
      "whether a text fits a QR code, and its modules; pictures and files are the host's.",
      { "QRcode_encodeString", "QRcode_encodeString8bit", "QRcode_encodeData", "QRcode_free" } },
};
/* What a sanitizer adds to a test build. */
static const char *const allowed_prefixes[] = { "__asan_", "__ubsan_", "__tsan_", "__sanitizer_" };

static bool of_a_library(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(libraries); i++)
        for (size_t k = 0; k < COUNT_OF(libraries[i].functions); k++)
            if (libraries[i].functions[k] != NULL && strcmp(name, libraries[i].functions[k]) == 0)
                return true;
    return false;
}

bool symbols_allowed(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(allowed); i++)
        if (strcmp(name, allowed[i]) == 0)
            return true;
    for (size_t i = 0; i < COUNT_OF(allowed_prefixes); i++)
        if (strncmp(name, allowed_prefixes[i], strlen(allowed_prefixes[i])) == 0)
            return true;
    return of_a_library(name);
}

/* The part of the file that a section describes; an empty view when it lies outside. */
static struct view section_bytes(struct view file, const Elf64_Shdr *section)
{
    if (section->sh_offset > file.len || section->sh_size > file.len - section->sh_offset)
        return VIEW_EMPTY;
    return view_slice(file, section->sh_offset, section->sh_size);
}

static enum status read_table(struct view symbols, struct view names, symbols_fn *each, void *arg)
{
    for (size_t at = sizeof(Elf64_Sym); at + sizeof(Elf64_Sym) <= symbols.len;
         at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        memcpy(&symbol, symbols.ptr + at, sizeof symbol);
        if (symbol.st_name >= names.len)
            return STATUS_MALFORMED;
        struct view rest = view_slice(names, symbol.st_name, names.len);
        if (view_find(rest, '\0') == rest.len)
            return STATUS_MALFORMED;
        unsigned binding = ELF64_ST_BIND(symbol.st_info);
        if (rest.ptr[0] != '\0' && binding != STB_LOCAL)
            each(arg, (const char *)rest.ptr, symbol.st_shndx == SHN_UNDEF, binding == STB_WEAK);
    }
    return STATUS_OK;
}

static enum status read_elf(struct view file, symbols_fn *each, void *arg)
{
    Elf64_Ehdr header;
    if (file.len < sizeof header)
        return STATUS_MALFORMED;
    memcpy(&header, file.ptr, sizeof header);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_shentsize != sizeof(Elf64_Shdr) ||
        header.e_shoff > file.len ||
        (uint64_t)header.e_shnum * sizeof(Elf64_Shdr) > file.len - header.e_shoff)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < header.e_shnum; i++) {
        Elf64_Shdr section, strings;
        memcpy(&section, file.ptr + header.e_shoff + i * sizeof section, sizeof section);
        if (section.sh_type != SHT_DYNSYM)
            continue;
        if (section.sh_link >= header.e_shnum)
            return STATUS_MALFORMED;
        memcpy(&strings, file.ptr + header.e_shoff + section.sh_link * sizeof strings,
               sizeof strings);
        return read_table(section_bytes(file, &section), section_bytes(file, &strings), each, arg);
    }
    return STATUS_MALFORMED; /* no dynamic symbols: nothing could ever find its entry */
}

enum status symbols_read(const char *path, symbols_fn *each, void *arg)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return STATUS_IO;
    void *bytes = MAP_FAILED;
    if (fstat(fd, &info) == 0 && info.st_size > 0)
        bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED)
        return STATUS_IO;
    enum status status = read_elf(view_of(bytes, (size_t)info.st_size), each, arg);
    munmap(bytes, (size_t)info.st_size);
    return status;
}
