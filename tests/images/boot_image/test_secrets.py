"""Secrets in images: planted ones are found, ordinary files raise no alarm."""

import time

import pytest

from netboot.images.boot_image.secrets import SecretFinding, is_scanned, scan_file

UNATTEND = """<unattend xmlns="urn:schemas-microsoft-com:unattend">
 <settings pass="{phase}"><component>{body}</component></settings></unattend>"""


def unattend(body: str, phase: str = "oobeSystem") -> bytes:
    return UNATTEND.format(body=body, phase=phase).encode()


KEY = b"PRIVATE" + b" KEY-----\nMIIE\n"

PLANTED: list[tuple[str, bytes]] = [
    ("/unattend.xml", unattend("<Password><Value>S3cret</Value></Password>")),
    (
        "/Autounattend.xml",
        unattend("<AdministratorPassword>\n <Value>QQBhAA==</Value>\n</AdministratorPassword>"),
    ),
    ("/Unattend.xml", unattend("<wcm:Password><wcm:Value>x1</wcm:Value></wcm:Password>")),
    ("/u.xml", unattend("<Credentials><Domain>d</Domain><Password>pw1</Password></Credentials>")),
    ("/u.xml", unattend("<Password>plain</Password>")),
    ("/u.xml", unattend("<JoinPassword>zz9</JoinPassword>")),
    ("/u16.xml", b"\xff\xfe" + unattend("<Password>a</Password>").decode().encode("utf-16-le")),
    ("/u16be.xml", b"\xfe\xff" + unattend("<Password>a</Password>").decode().encode("utf-16-be")),
    ("/nobom.xml", "<Password>abc</Password>".encode("utf-16-le")),
    ("/Deploy/Scripts/bootstrap.ini", b"[Default]\r\nUserID=joe\r\nUserPassword=S3cret\r\n"),
    ("/customsettings.ini", b"AdminPassword = S3cret\r\n"),
    ("/customsettings.ini", b"DomainAdminPassword=S3cret"),
    ("/sysprep.inf", b"[GuiUnattended]\r\nAdminPassword=S3cret\r\n"),
    ("/vnc/ultravnc.ini", b"[ultravnc]\r\npasswd=1E2F3A4B5C\r\n"),
    ("/x.cmd", b"set PASSWORD=S3cret\r\n"),
    ("/x.cmd", b'set "mypassword=S3cret"\r\n'),
    ("/x.ps1", b"$password = 'S3cret'\r\n"),
    ("/x.ps1", b'$p = ConvertTo-SecureString "S3cret" -AsPlainText -Force\r\n'),
    ("/x.json", b'{\n "password": "S3cret"\n}'),
    ("/x.yaml", b"password: S3cret\n"),
    ("/Windows/System32/startnet.cmd", b"wpeinit\r\nnet use z: \\\\s\\i S3cret /user:d\\joe\r\n"),
    ("/x.bat", b"net.exe use \\\\s\\i /user:joe S3cret\r\n"),
    ("/x.bat", b'NET USE \\\\srv\\share "two words" /USER:joe && dir\r\n'),
    ("/desk.rdp", b"full address:s:x\r\npassword 51:b:01000000D08C9DDF\r\n"),
    ("/wlan.xml", b"<sharedKey><keyMaterial>S3cret</keyMaterial></sharedKey>"),
    ("/key.pem", b"-----BEGIN RSA " + KEY),
    ("/id_ed25519", b"-----BEGIN OPENSSH " + KEY),
    ("/k.ppk", b"PuTTY-User-Key-File-2: ssh-rsa\n"),
    ("/cert.pfx", b"\x30\x82"),
    ("/sms/data/Variables.dat", b"\x00\x01"),
    ("/get.cmd", b"curl http://joe:S3cret@192.0.2.1/x\r\n"),
    ("/run.vbs", b'password = "S3cret"\r\n'),
]

CLEAN: list[tuple[str, bytes]] = [
    ("/Windows/System32/startnet.cmd", b"wpeinit\r\n"),
    ("/x.cmd", b"net use z: \\\\s\\i\r\n"),
    ("/x.cmd", b"net use z: \\\\s\\i /user:guest\r\n"),
    ("/x.cmd", b"net use z: \\\\s\\i * /user:joe\r\n"),
    ("/x.cmd", b"net use z: \\\\s\\i %PW% /user:joe\r\n"),
    ("/x.cmd", b'net use z: \\\\s\\i "" /user:guest\r\n'),
    ("/x.cmd", b"net user joe\r\nnet start\r\n"),
    ("/x.cmd", b"set PASSWORD=\r\nset PASSWORD=%1\r\nset /p PASSWORD=Password: \r\n"),
    ("/x.cmd", b"echo Enter the password\r\n"),
    ("/unattend.xml", unattend("<Password><Value></Value></Password>")),
    ("/unattend.xml", unattend("<Password><Value>*SENSITIVE*DATA*DELETED*</Value></Password>")),
    ("/unattend.xml", unattend("<PasswordNeverExpires/>")),
    ("/unattend.xml", unattend("<Display><ColorDepth>32</ColorDepth></Display>")),
    (
        "/bootstrap.ini",
        b"[Settings]\r\nPriority=Default\r\nSkipBDDWelcome=YES\r\nUserPassword=\r\n",
    ),
    ("/winpeshl.ini", b"[LaunchApps]\r\nbddrun.exe,/bootstrap\r\n"),
    ("/x.ps1", b"$password = $env:PW\r\n$password = Read-Host -AsSecureString\r\n"),
    ("/desk.rdp", b"full address:s:192.0.2.1\r\nprompt for credentials:i:1\r\n"),
    ("/pub.pem", b"-----BEGIN CERTIFICATE-----\nMIIE\n-----BEGIN PUBLIC KEY-----\n"),
    ("/links.txt", b"https://www.example.org:8443/a?b=c\nmailto:joe@example.org\n"),
    ("/eula.txt", b"You must keep your password secret. Passwords are yours.\r\n"),
    ("/x.json", b'{"password": ""}'),
    ("/nb-image.ini", b"[netboot]\r\nimage=PE\r\nversion=3\r\n"),
    *((f"/etc/{n}.ini", f"[s{n}]\r\nkey{n}=value\r\npass={n}\r\n".encode()) for n in range(28)),
]


@pytest.mark.parametrize(("path", "data"), PLANTED, ids=lambda value: str(value)[:40])
def test_a_planted_secret_is_found(path: str, data: bytes):
    """Every planted secret gives a finding that does not repeat the secret."""
    assert is_scanned(path)
    findings = scan_file(path, data)

    assert findings
    assert all("S3cret" not in finding.sentence for finding in findings)


def test_clean_files_raise_no_alarm():
    """Not one of fifty ordinary files."""
    assert len(CLEAN) == 50
    alarms = [finding for path, data in CLEAN for finding in scan_file(path, data)]

    assert alarms == []


def test_a_finding_names_file_and_line():
    """The sentence leads to the place."""
    (finding,) = scan_file("/a.ini", b"[x]\r\nfree=1\r\nUserPassword=x\r\n")

    assert SecretFinding("/a.ini", 3, "a password in a setting") == finding
    assert finding.sentence == "/a.ini, line 3: a password in a setting"


@pytest.mark.parametrize(
    "path", ["/Windows/WinSxS/a.xml", "/Windows/INF/a.inf", "/a.dll", "/Windows/System32/a.exe"]
)
def test_windows_own_files_are_not_read(path: str):
    """Manifests and programs are passed over."""
    assert not is_scanned(path)


@pytest.mark.parametrize(
    "unit",
    [
        b"passwd",
        b"ConvertTo-SecureString",
        b"<Password ",
        b"<Password>" + b" " * 50,
        b"http://a:",
        b"-----BEGIN A ",
        b"net use /user: ",
        b" ",
        b"<a:",
        b"\xff\x00",
    ],
)
def test_an_endless_line_costs_little(unit: bytes):
    """A megabyte made to slow a search down is read in seconds."""
    began = time.monotonic()

    scan_file("/x.xml", unit * ((1 << 20) // len(unit)))

    assert time.monotonic() - began < 10
