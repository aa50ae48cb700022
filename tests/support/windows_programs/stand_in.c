/*
 * Stands in for a program of Windows PE, by its own name: drvload, wpeinit, wpeutil, curl, ping, and
 * any other, which only notes how it was called. Every call becomes a line of C:\calls.txt: the name,
 * and the command line as Windows hands it over.
 *
 * drvload  opens the INF that is named; fails if there is none, or if it begins with "refuse".
 * curl     sends nothing: -d @FILE is copied to C:\sent.txt without line ends, as curl sends it.
 *          Fails as long as C:\offline-N.txt exists, and deletes one at each call.
 */
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

static void note(const wchar_t *name, const wchar_t *line)
{
    char text[32768];
    DWORD done;
    int length = snprintf(text, sizeof text, "%ls %ls\n", name, line);
    HANDLE file = CreateFileW(L"C:\\calls.txt", FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE,
                              NULL, OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    WriteFile(file, text, (DWORD)length, &done, NULL);
    CloseHandle(file);
}

static int load(const wchar_t *path)
{
    char first[6] = "";
    FILE *inf = _wfopen(path, L"rb");
    if (inf == NULL) {
        printf("no such INF: %ls\n", path);
        return 2;
    }
    size_t got = fread(first, 1, sizeof first, inf);
    fclose(inf);
    if (got == 6 && memcmp(first, "refuse", 6) == 0) {
        printf("not loaded: %ls\n", path);
        return 1;
    }
    printf("loaded: %ls\n", path);
    return 0;
}

static int post(int count, wchar_t **words)
{
    wchar_t offline[64];
    for (int n = 1; n < 10; n++) {
        _snwprintf(offline, 64, L"C:\\offline-%d.txt", n);
        if (DeleteFileW(offline))
            return 7;
    }
    for (int n = 1; n + 1 < count; n++) {
        if (wcscmp(words[n], L"-d") != 0 || words[n + 1][0] != L'@')
            continue;
        FILE *body = _wfopen(words[n + 1] + 1, L"rb"), *sent = _wfopen(L"C:\\sent.txt", L"wb");
        if (body == NULL || sent == NULL)
            return 26;
        for (int letter; (letter = fgetc(body)) != EOF;)
            if (letter != '\r' && letter != '\n' && letter != 0)
                fputc(letter, sent);
        fclose(body);
        fclose(sent);
    }
    return 0;
}

int wmain(int count, wchar_t **words)
{
    wchar_t path[MAX_PATH], *name;
    GetModuleFileNameW(NULL, path, MAX_PATH);
    name = wcsrchr(path, L'\\') + 1;
    *wcsrchr(name, L'.') = 0;
    note(name, GetCommandLineW());
    if (_wcsicmp(name, L"drvload") == 0)
        return load(count > 1 ? words[1] : L"");
    return _wcsicmp(name, L"curl") == 0 ? post(count, words) : 0;
}
