/*
 * Prints an INF as setupapi reads it: for each line of each section, the section, the number of
 * fields, the key and the fields. All text is in hexadecimal UTF-16 with blanks between the words,
 * one line for each line.
 */
#include <stdio.h>
#include <wchar.h>
#include <windows.h>
#include <setupapi.h>

#define LONGEST 8192

static void word(const wchar_t *text)
{
    putchar(' ');
    putchar('.');
    for (; *text; text++)
        printf("%04x", *text);
}

int wmain(int count, wchar_t **words)
{
    static wchar_t name[LONGEST], text[LONGEST];
    UINT line;
    HINF inf = count > 1 ? SetupOpenInfFileW(words[1], NULL, INF_STYLE_WIN4 | INF_STYLE_OLDNT, &line)
                         : INVALID_HANDLE_VALUE;
    if (inf == INVALID_HANDLE_VALUE) {
        printf("error %lx\n", GetLastError());
        return 1;
    }
    for (UINT number = 0; SetupEnumInfSectionsW(inf, number, name, LONGEST, NULL); number++) {
        INFCONTEXT place;
        if (!SetupFindFirstLineW(inf, name, NULL, &place))
            continue;
        do {
            DWORD fields = SetupGetFieldCount(&place);
            printf("%lu", fields);
            word(name);
            for (DWORD n = 0; n <= fields; n++) {
                text[0] = 0;
                SetupGetStringFieldW(&place, n, text, LONGEST, NULL);
                word(text);
            }
            putchar('\n');
        } while (SetupFindNextLine(&place, &place));
    }
    SetupCloseInfFile(inf);
    return 0;
}
