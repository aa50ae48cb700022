/* A stand-in for Microsoft's UEFI boot manager: it asks the boot server what bootmgfw.efi asks.
 *
 * In this order: probes for what need not be there, the boot configuration by its names (its size
 * first, then its bytes), boot.sdi and the image by the paths that stand in that configuration.
 * Where the real one would start winload out of the image, this one starts the Lab PE's kernel
 * and hands it the very image that it was served.
 *
 * References: UEFI specification 2.10, §24.3 (PXE base code) and §13.1 (LoadFile2); Linux
 * Documentation/admin-guide/efi-stub.rst (initrd by LoadFile2); cpio(5).
 */
#include <efi.h>
#include <efilib.h>

#define BLOCK_SIZE 1456
#define PATH_LIMIT 256
#define LINE_LIMIT 1024
#define CPIO_HEADER 110
#define CPIO_SLACK 512 /* two headers with their names, and padding */

typedef struct {
    UINT8 *data;
    UINT64 size;
} File;

static EFI_HANDLE self;
static EFI_PXE_BASE_CODE_PROTOCOL *pxe;
static EFI_IP_ADDRESS server;
static File initrd;

/* What firmware and kernel agree on: LINUX_EFI_INITRD_MEDIA_GUID. */
static EFI_GUID load_file2_guid = {
    0x4006c0c1, 0xfcb3, 0x403e, {0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d}};
static struct {
    VENDOR_DEVICE_PATH vendor;
    EFI_DEVICE_PATH end;
} __attribute__((packed)) initrd_path = {
    {{4, 3, {20, 0}},
     {0x5568e427, 0x68fc, 0x4f3d, {0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68}}},
    {0x7f, 0xff, {4, 0}}};

static BOOLEAN fetch(const char *name, File *file)
{
    UINTN block = BLOCK_SIZE;
    EFI_STATUS status;

    /* The firmware asks for the size, and ends that with ERROR 8 (RFC 2347). */
    file->size = 0;
    status = uefi_call_wrapper(pxe->Mtftp, 10, pxe, EFI_PXE_BASE_CODE_TFTP_GET_FILE_SIZE, NULL,
                               FALSE, &file->size, &block, &server, (UINT8 *)name, NULL, FALSE);
    if (EFI_ERROR(status)) {
        Print(L"SURROGATE MISS %a %r\n", name, status);
        return FALSE;
    }
    file->data = AllocatePool((UINTN)file->size + 8);
    if (file->data == NULL) {
        Print(L"SURROGATE 0xc0000017 no room for %a\n", name);
        return FALSE;
    }
    block = BLOCK_SIZE;
    status = uefi_call_wrapper(pxe->Mtftp, 10, pxe, EFI_PXE_BASE_CODE_TFTP_READ_FILE, file->data,
                               FALSE, &file->size, &block, &server, (UINT8 *)name, NULL, FALSE);
    if (EFI_ERROR(status)) {
        Print(L"SURROGATE FAIL %a %r\n", name, status);
        return FALSE;
    }
    Print(L"SURROGATE GOT %a size=%ld\n", name, file->size);
    return TRUE;
}

/* The UTF-16 text in a registry hive that begins with a backslash and ends like `ending`. */
static BOOLEAN find_path(const File *hive, const char *ending, char *path)
{
    INTN length = strlena((CHAR8 *)ending);
    INTN size = (INTN)hive->size;

    for (INTN at = 0; at + 2 * length + 2 <= size; at++) {
        INTN same = 0, start = at, out = 0;
        while (same < length && (hive->data[at + 2 * same] | 32) == (UINT8)ending[same] &&
               hive->data[at + 2 * same + 1] == 0)
            same++;
        if (same < length)
            continue;
        while (start >= 2 && hive->data[start - 2] > 32 && hive->data[start - 2] < 127 &&
               hive->data[start - 1] == 0)
            start -= 2;
        if (hive->data[start] != '\\')
            continue;
        for (INTN from = start; from < at + 2 * length && out < PATH_LIMIT - 1; from += 2)
            path[out++] = (char)hive->data[from];
        path[out] = 0;
        return TRUE;
    }
    return FALSE;
}

/* The word of a text that begins with `prefix`, as UTF-16, appended to `line`. */
static void append_word(const File *text, const char *prefix, CHAR16 *line)
{
    INTN length = strlena((CHAR8 *)prefix), end = StrLen(line);

    for (INTN at = 0; at + length < (INTN)text->size; at++) {
        INTN same = 0;
        while (same < length && text->data[at + same] == (UINT8)prefix[same])
            same++;
        if (same < length)
            continue;
        while (at < (INTN)text->size && text->data[at] > 32 && end < LINE_LIMIT - 1)
            line[end++] = text->data[at++];
        line[end] = 0;
        return;
    }
}

static UINTN cpio_header(UINT8 *out, const char *name, UINT32 size)
{
    static const char digits[] = "0123456789ABCDEF";
    UINTN length = strlena((CHAR8 *)name) + 1;
    UINT32 fields[13] = {1, 0100444, 0, 0, 1, 0, size, 0, 0, 0, 0, (UINT32)length, 0};

    CopyMem(out, "070701", 6);
    for (UINTN field = 0; field < 13; field++)
        for (UINTN digit = 0; digit < 8; digit++)
            out[6 + 8 * field + digit] = digits[(fields[field] >> (28 - 4 * digit)) & 15];
    CopyMem(out + CPIO_HEADER, (void *)name, length);
    return (CPIO_HEADER + length + 3) / 4 * 4;
}

/* The Lab PE's first file system, and behind it the image as a file called boot.wim. */
static BOOLEAN join(const File *base, const File *wim)
{
    UINTN end = ((UINTN)base->size + 3) / 4 * 4;

    initrd.data = AllocateZeroPool(end + (UINTN)wim->size + CPIO_SLACK);
    if (initrd.data == NULL)
        return FALSE;
    CopyMem(initrd.data, base->data, (UINTN)base->size);
    end += cpio_header(initrd.data + end, "boot.wim", (UINT32)wim->size);
    CopyMem(initrd.data + end, wim->data, (UINTN)wim->size);
    end += ((UINTN)wim->size + 3) / 4 * 4;
    end += cpio_header(initrd.data + end, "TRAILER!!!", 0);
    initrd.size = end;
    return TRUE;
}

static EFI_STATUS EFIAPI load_initrd(void *this, EFI_DEVICE_PATH *path, BOOLEAN policy,
                                     UINTN *size, void *buffer)
{
    (void)this;
    (void)path;
    if (policy)
        return EFI_UNSUPPORTED;
    if (buffer == NULL || *size < initrd.size) {
        *size = (UINTN)initrd.size;
        return EFI_BUFFER_TOO_SMALL;
    }
    CopyMem(buffer, initrd.data, (UINTN)initrd.size);
    *size = (UINTN)initrd.size;
    return EFI_SUCCESS;
}

static struct {
    void *load;
} load_file2 = {load_initrd};

static void start(const File *kernel, CHAR16 *line)
{
    EFI_GUID device_path_guid = DEVICE_PATH_PROTOCOL;
    EFI_HANDLE media = NULL, image = NULL;
    EFI_LOADED_IMAGE *loaded;
    EFI_STATUS status;

    uefi_call_wrapper(BS->InstallMultipleProtocolInterfaces, 6, &media, &device_path_guid,
                      &initrd_path, &load_file2_guid, &load_file2, NULL);
    status = uefi_call_wrapper(BS->LoadImage, 6, FALSE, self, NULL, kernel->data,
                               (UINTN)kernel->size, &image);
    if (EFI_ERROR(status)) {
        Print(L"SURROGATE 0xc0000225 the kernel cannot be loaded: %r\n", status);
        return;
    }
    uefi_call_wrapper(BS->HandleProtocol, 3, image, &LoadedImageProtocol, (void **)&loaded);
    loaded->LoadOptions = line;
    loaded->LoadOptionsSize = (UINT32)((StrLen(line) + 1) * sizeof(CHAR16));
    Print(L"SURROGATE START %s\n", line);
    status = uefi_call_wrapper(BS->StartImage, 3, image, NULL, NULL);
    Print(L"SURROGATE FAIL the kernel came back: %r\n", status);
}

/* The boot server is who answered last: port 4011, the proxy's offer, the DHCP server. */
static BOOLEAN find_server(EFI_HANDLE device)
{
    EFI_GUID guid = EFI_PXE_BASE_CODE_PROTOCOL_GUID;
    EFI_PXE_BASE_CODE_PACKET *said;

    if (EFI_ERROR(uefi_call_wrapper(BS->HandleProtocol, 3, device, &guid, (void **)&pxe)))
        return FALSE;
    said = pxe->Mode->PxeReplyReceived     ? &pxe->Mode->PxeReply
           : pxe->Mode->ProxyOfferReceived ? &pxe->Mode->ProxyOffer
                                           : &pxe->Mode->DhcpAck;
    CopyMem(&server, said->Dhcpv4.BootpSiAddr, 4);
    Print(L"SURROGATE SERVER %d.%d.%d.%d file=%a\n", server.v4.Addr[0], server.v4.Addr[1],
          server.v4.Addr[2], server.v4.Addr[3], said->Dhcpv4.BootpBootFile);
    return TRUE;
}

static void boot(void)
{
    static const char *const probes[] = {
        "\\EFI\\Microsoft\\Boot\\Policies\\SbcpFlightToken.p7b",
        "\\EFI\\Microsoft\\Boot\\SecureBootPolicy.p7b",
        "\\EFI\\Microsoft\\Boot\\SiPolicy.p7b",
        "\\EFI\\Microsoft\\Boot\\SkuSiPolicy.p7b",
        "\\EFI\\Microsoft\\Boot\\Policies\\UnlockToken.pol",
        "\\EFI\\Microsoft\\Boot\\boot.stl",
        "\\EFI\\Microsoft\\Boot\\Fonts\\wgl4_boot.ttf",
    };
    static char path[PATH_LIMIT];
    static CHAR16 line[LINE_LIMIT] = L"quiet console=tty0 console=ttyS0,115200 panic=30 ";
    File any, bcd, wim, kernel, base, menu;

    for (UINTN at = 0; at < sizeof probes / sizeof *probes; at++)
        fetch(probes[at], &any);
    fetch("\\BCD", &any);
    if (!fetch("\\Boot\\BCD", &bcd) || !fetch("\\Boot\\BCD", &bcd)) {
        Print(L"SURROGATE 0xc000000f no boot configuration\n");
        return;
    }
    if (!find_path(&bcd, ".sdi", path) || !fetch(path, &any)) {
        Print(L"SURROGATE 0xc000000f no boot.sdi\n");
        return;
    }
    if (!find_path(&bcd, ".wim", path) || !fetch(path, &wim)) {
        Print(L"SURROGATE 0xc000000f no image\n");
        return;
    }
    if (fetch("\\Boot\\vmlinuz", &kernel) && fetch("\\Boot\\initrd.gz", &base) &&
        fetch("grub/grub.cfg", &menu) && join(&base, &wim)) {
        append_word(&menu, "labpe.report=", line);
        start(&kernel, line);
    }
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
    EFI_LOADED_IMAGE *loaded;

    self = image;
    InitializeLib(image, table);
    uefi_call_wrapper(BS->HandleProtocol, 3, image, &LoadedImageProtocol, (void **)&loaded);
    if (find_server(loaded->DeviceHandle))
        boot();
    else
        Print(L"SURROGATE FAIL not booted by PXE\n");
    Print(L"SURROGATE END\n");
    uefi_call_wrapper(RT->ResetSystem, 4, EfiResetShutdown, EFI_SUCCESS, 0, NULL);
    return EFI_SUCCESS;
}
