<#
Copies a boot image to this machine's own disk and starts it from there.

  .\netboot-disk.ps1 install [-Keep] [-NoRestart] [-SuspendBitLocker]
  .\netboot-disk.ps1 start [-NoRestart] [-SuspendBitLocker]    start what is installed once more
  .\netboot-disk.ps1 status
  .\netboot-disk.ps1 remove                                    take everything back

-Keep leaves the entry in the boot menu; without it the image is started once. Nothing is changed
until every byte has come and was compared. What fails later is taken back.
#>
param(
    [Parameter(Position = 0)][ValidateSet('install', 'start', 'status', 'remove')][string]$Verb = 'status',
    [switch]$Keep,
    [switch]$NoRestart,
    [switch]$SuspendBitLocker
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

# What follows is filled in by the site that hands this script out.
$Label = ''
$Architecture = ''
$Base = ''
$Files = @()
$Loaders = @{}
# ---- end of what is filled in

$Folder = Join-Path $env:SystemDrive 'NetBoot'
$New = "$Folder.new"
$Note = Join-Path $Folder 'entry.txt'
$Options = '{ramdiskoptions}'

function Stop-Here([string]$Reason) {
    Write-Host "netboot: $Reason" -ForegroundColor Red
    exit 1
}

# A program's complaints must not end the script by themselves: its exit code is judged.
function Invoke-Bcdedit([string[]]$Words) {
    $ErrorActionPreference = 'Continue'
    $said = & bcdedit.exe @Words 2>&1 | Out-String
    if ($LASTEXITCODE -ne 0) { throw "bcdedit $($Words -join ' '): $($said.Trim())" }
    return $said
}

function Test-Entry([string]$Id) {
    $ErrorActionPreference = 'Continue'
    & bcdedit.exe /enum $Id *> $null
    return $LASTEXITCODE -eq 0
}

function Get-Firmware {
    $ErrorActionPreference = 'Continue'
    # winload.efi is what a UEFI system was started by.
    $current = & bcdedit.exe /enum '{current}' | Out-String
    if ($current -match 'winload\.efi') { return 'uefi' }
    return 'bios'
}

function Assert-Administrator {
    $me = [Security.Principal.WindowsPrincipal][Security.Principal.WindowsIdentity]::GetCurrent()
    if (-not $me.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
        Stop-Here 'this needs an administrator. Nothing was changed.'
    }
}

function Assert-Machine {
    if ($Architecture -eq 'x64' -and -not [Environment]::Is64BitOperatingSystem) {
        Stop-Here "$Label is for 64-bit Windows machines. Nothing was changed."
    }
    if (Test-Path $Folder) { Stop-Here "$Folder is there already: remove it first. Nothing was changed." }
    if (Test-Entry $Options) {
        Stop-Here "another program has set $Options in the boot configuration. Nothing was changed."
    }
    $needed = ($Files | Measure-Object -Property Size -Sum).Sum + 64 * 1048576
    $free = (New-Object IO.DriveInfo $env:SystemDrive).AvailableFreeSpace
    if ($free -lt $needed) { Stop-Here "$needed bytes are needed on $env:SystemDrive. Nothing was changed." }
}

function Assert-BitLocker {
    $volume = Get-Command Get-BitLockerVolume -ErrorAction SilentlyContinue
    if (-not $volume) { return }
    $state = Get-BitLockerVolume -MountPoint $env:SystemDrive
    if ("$($state.ProtectionStatus)" -ne 'On') { return }
    if (-not $SuspendBitLocker) {
        Stop-Here 'BitLocker protects this disk: the boot manager could not read the image. Say -SuspendBitLocker to suspend it for one restart. Nothing was changed.'
    }
    Suspend-BitLocker -MountPoint $env:SystemDrive -RebootCount 2 | Out-Null
}

function Copy-Files {
    if (Test-Path $New) { Remove-Item $New -Recurse -Force }
    New-Item -ItemType Directory $New | Out-Null
    [Net.ServicePointManager]::Expect100Continue = $false
    foreach ($file in $Files) {
        Write-Host "netboot: fetching $($file.Name), $($file.Size) bytes"
        $target = Join-Path $New $file.Name
        (New-Object Net.WebClient).DownloadFile("$Base/$($file.Name)", $target)
        $found = (Get-FileHash -Algorithm SHA256 $target).Hash.ToLowerInvariant()
        if ($found -ne $file.Sha256) { throw "$($file.Name) came altered: it is not what the site promised" }
    }
    Copy-Item $PSCommandPath (Join-Path $New 'netboot-disk.ps1')
    Rename-Item $New $Folder
}

function Assert-Unaltered {
    foreach ($file in $Files) {
        $path = Join-Path $Folder $file.Name
        $found = ''
        if (Test-Path $path) { $found = (Get-FileHash -Algorithm SHA256 $path).Hash.ToLowerInvariant() }
        if ($found -ne $file.Sha256) {
            Stop-Here "$path was altered: it is not started. Take it away with: netboot-disk.ps1 remove"
        }
    }
}

function Add-Entry {
    $drive = $env:SystemDrive
    $loader = $Loaders[(Get-Firmware)]
    # Without a description: the boot menu would show it in place of the image's name.
    Invoke-Bcdedit @('/create', $Options) | Out-Null
    Set-Content $Note $Options
    Invoke-Bcdedit @('/set', $Options, 'ramdisksdidevice', "partition=$drive") | Out-Null
    Invoke-Bcdedit @('/set', $Options, 'ramdisksdipath', '\NetBoot\boot.sdi') | Out-Null
    $said = Invoke-Bcdedit @('/create', '/d', $Label, '/application', 'osloader')
    if ($said -notmatch '(\{[0-9a-fA-F-]{36}\})') { throw "bcdedit named no entry: $said" }
    $entry = $Matches[1]
    Add-Content $Note $entry
    $device = "ramdisk=[$drive]\NetBoot\boot.wim,$Options"
    Invoke-Bcdedit @('/set', $entry, 'device', $device) | Out-Null
    Invoke-Bcdedit @('/set', $entry, 'osdevice', $device) | Out-Null
    Invoke-Bcdedit @('/set', $entry, 'path', $loader) | Out-Null
    Invoke-Bcdedit @('/set', $entry, 'systemroot', '\windows') | Out-Null
    Invoke-Bcdedit @('/set', $entry, 'detecthal', 'yes') | Out-Null
    Invoke-Bcdedit @('/set', $entry, 'winpe', 'yes') | Out-Null
    Invoke-Bcdedit @('/set', $entry, 'nx', 'optin') | Out-Null
    Invoke-Bcdedit @('/set', $entry, 'ems', 'no') | Out-Null
    if ($Keep) { Invoke-Bcdedit @('/displayorder', $entry, '/addlast') | Out-Null }
    Invoke-Bcdedit @('/bootsequence', $entry) | Out-Null
}

function Undo-Entry {
    if (Test-Path $Note) {
        # The loader's entry first: it names the options.
        foreach ($entry in @(Get-Content $Note | Where-Object { $_ -ne $Options })) {
            if (Test-Entry $entry) {
                try { Invoke-Bcdedit @('/bootsequence', $entry, '/remove') | Out-Null } catch { $null = $_ }
                Invoke-Bcdedit @('/delete', $entry, '/cleanup') | Out-Null
            }
        }
        # A well-known entry goes by force only.
        if (Test-Entry $Options) { Invoke-Bcdedit @('/delete', $Options, '/f') | Out-Null }
    }
    Set-Location "$env:SystemDrive\"
    foreach ($path in @($New, $Folder)) {
        if (Test-Path $path) { Remove-Item $path -Recurse -Force }
    }
}

switch ($Verb) {
    'install' {
        Assert-Administrator
        Assert-Machine
        Assert-BitLocker
        try {
            Copy-Files
            Add-Entry
        } catch {
            $reason = $_.Exception.Message
            Undo-Entry
            Stop-Here "$reason. What was begun was taken back; the machine starts as before."
        }
        Write-Host "netboot: $Label is on this disk, in $Folder"
        if (-not $NoRestart) { & shutdown.exe /r /t 0 }
    }
    'start' {
        if (-not (Test-Path $Note)) { Stop-Here 'no boot image is installed here.' }
        Assert-Administrator
        Assert-BitLocker
        Assert-Unaltered
        Invoke-Bcdedit @('/bootsequence', @(Get-Content $Note)[1]) | Out-Null
        Write-Host "netboot: starting $Label"
        if (-not $NoRestart) { & shutdown.exe /r /t 0 }
    }
    'remove' {
        Assert-Administrator
        Undo-Entry
        Write-Host 'netboot: removed: this machine starts as it did before'
    }
    'status' {
        if (Test-Path $Folder) { Write-Host "netboot: $Label is in $Folder" }
        else { Write-Host 'netboot: no boot image is installed here' }
    }
}
