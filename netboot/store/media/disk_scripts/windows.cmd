@echo off
rem Copies a boot image to this machine's own disk and starts it from there, without PowerShell.
rem
rem   netboot-disk.cmd install [keep] [norestart]
rem   netboot-disk.cmd start [norestart]      start what is installed once more
rem   netboot-disk.cmd status
rem   netboot-disk.cmd remove                 take everything back
rem
rem Nothing is changed until every byte has come and was compared. What fails later is taken back.
rem Needs curl.exe and certutil.exe, which Windows 10 (1803) and later have.
setlocal EnableExtensions EnableDelayedExpansion

rem What follows is filled in by the site that hands this script out.
set "LABEL=" & set "BASE=" & set "ARCHITECTURE=" & set "LOADER_BIOS=" & set "LOADER_UEFI="
set "FILES="
rem ---- end of what is filled in

set "FOLDER=%SystemDrive%\NetBoot"
set "NOTE=%FOLDER%\entry.txt"
set "OPTIONS={ramdiskoptions}"
set "KEEP=" & set "NORESTART="
for %%A in (%2 %3) do (
  if /i "%%A"=="keep" set "KEEP=1"
  if /i "%%A"=="norestart" set "NORESTART=1"
)
if /i "%~1"=="install" goto install
if /i "%~1"=="start" goto again
if /i "%~1"=="status" goto status
if /i "%~1"=="remove" goto remove
echo usage: %~nx0 install [keep] [norestart] ^| start [norestart] ^| status ^| remove
exit /b 2

:install
call :administrator || exit /b 1
if "%ARCHITECTURE%"=="x64" if "%PROCESSOR_ARCHITECTURE%"=="x86" if not defined PROCESSOR_ARCHITEW6432 (
  echo netboot: the image is for 64-bit Windows machines. Nothing was changed.& exit /b 1
)
if exist "%FOLDER%" (echo netboot: %FOLDER% is there already: remove it first. Nothing was changed.& exit /b 1)
bcdedit /enum %OPTIONS% >nul 2>&1 && (
  echo netboot: another program has set %OPTIONS% in the boot configuration. Nothing was changed.& exit /b 1
)
where curl.exe >nul 2>&1 || (echo netboot: curl.exe is missing: use netboot-disk.ps1. Nothing was changed.& exit /b 1)
call :bitlocker || exit /b 1
mkdir "%FOLDER%" || exit /b 1
for %%F in (%FILES%) do (
  for /f "tokens=1,2 delims=:" %%N in ("%%F") do (
    echo netboot: fetching %%N
    curl.exe -fsS -o "%FOLDER%\%%N" "%BASE%/%%N" || goto undo
    call :digest "%FOLDER%\%%N"
    if /i not "!DIGEST!"=="%%O" (echo netboot: %%N came altered: it is not what the site promised.& goto undo)
  )
)
copy /y "%~f0" "%FOLDER%\netboot-disk.cmd" >nul || goto undo

set "LOADER=%LOADER_BIOS%"
bcdedit /enum {current} | find /i "winload.efi" >nul && set "LOADER=%LOADER_UEFI%"
rem Without a description: the boot menu would show it in place of the image's name.
bcdedit /create %OPTIONS% >nul || goto undo
>"%NOTE%" echo %OPTIONS%
bcdedit /set %OPTIONS% ramdisksdidevice partition=%SystemDrive% >nul || goto undo
bcdedit /set %OPTIONS% ramdisksdipath \NetBoot\boot.sdi >nul || goto undo
set "ENTRY="
for /f "tokens=2 delims={}" %%G in ('bcdedit /create /d "%LABEL%" /application osloader') do set "ENTRY={%%G}"
if not defined ENTRY goto undo
>>"%NOTE%" echo %ENTRY%
set "DEVICE=ramdisk=[%SystemDrive%]\NetBoot\boot.wim,%OPTIONS%"
bcdedit /set %ENTRY% device %DEVICE% >nul || goto undo
bcdedit /set %ENTRY% osdevice %DEVICE% >nul || goto undo
bcdedit /set %ENTRY% path %LOADER% >nul || goto undo
bcdedit /set %ENTRY% systemroot \windows >nul || goto undo
bcdedit /set %ENTRY% detecthal yes >nul || goto undo
bcdedit /set %ENTRY% winpe yes >nul || goto undo
bcdedit /set %ENTRY% nx optin >nul || goto undo
bcdedit /set %ENTRY% ems no >nul || goto undo
if defined KEEP (bcdedit /displayorder %ENTRY% /addlast >nul || goto undo)
bcdedit /bootsequence %ENTRY% >nul || goto undo
echo netboot: %LABEL% is on this disk, in %FOLDER%
if not defined NORESTART shutdown /r /t 0
exit /b 0

:undo
echo netboot: that failed. What was begun is taken back; the machine starts as before.
call :takeback || (echo netboot: bcdedit did not take its entries back: %FOLDER% stays. Remove it again.& exit /b 1)
if exist "%FOLDER%" rmdir /s /q "%FOLDER%"
exit /b 1

:again
if not exist "%NOTE%" (echo netboot: no boot image is installed here.& exit /b 1)
call :administrator || exit /b 1
call :bitlocker || exit /b 1
for %%F in (%FILES%) do (
  for /f "tokens=1,2 delims=:" %%N in ("%%F") do (
    call :digest "%FOLDER%\%%N"
    if /i not "!DIGEST!"=="%%O" (
      echo netboot: %FOLDER%\%%N was altered: it is not started. Take it away with: %~nx0 remove
      exit /b 1
    )
  )
)
set "ENTRY="
for /f "usebackq skip=1 tokens=1" %%E in ("%NOTE%") do set "ENTRY=%%E"
bcdedit /bootsequence %ENTRY% >nul || exit /b 1
echo netboot: starting %LABEL%
if not defined NORESTART shutdown /r /t 0
exit /b 0

:status
if exist "%NOTE%" (echo netboot: %LABEL% is in %FOLDER%) else (echo netboot: no boot image is installed here)
exit /b 0

:remove
call :administrator || exit /b 1
call :takeback || (echo netboot: bcdedit did not take its entries back: %FOLDER% stays. Try it again.& exit /b 1)
cd /d "%SystemDrive%\"
rem In one piece: this script may lie in the folder that goes.
(
  if exist "%FOLDER%" rmdir /s /q "%FOLDER%"
  echo netboot: removed: this machine starts as it did before
  exit /b 0
)

:takeback
rem The loader's entry first: it names the options, which as a well-known entry go by force only.
set "LEFT="
if exist "%NOTE%" (
  for /f "usebackq skip=1 tokens=1" %%E in ("%NOTE%") do (
    bcdedit /bootsequence %%E /remove >nul 2>&1
    bcdedit /enum %%E >nul 2>&1 && (bcdedit /delete %%E /cleanup >nul || set "LEFT=1")
  )
  bcdedit /enum %OPTIONS% >nul 2>&1 && (bcdedit /delete %OPTIONS% /f >nul || set "LEFT=1")
)
if defined LEFT exit /b 1
exit /b 0

:administrator
net session >nul 2>&1 && exit /b 0
echo netboot: this needs an administrator. Nothing was changed.
exit /b 1

:bitlocker
manage-bde -status %SystemDrive% 2>nul | find "Protection On" >nul || exit /b 0
echo netboot: BitLocker protects this disk: suspend it first with manage-bde -protectors -disable %SystemDrive% -RebootCount 2
echo netboot: Nothing was changed.
exit /b 1

:digest
set "DIGEST="
for /f "skip=1 delims=" %%H in ('certutil -hashfile %1 SHA256') do if not defined DIGEST set "DIGEST=%%H"
set "DIGEST=%DIGEST: =%"
exit /b 0
