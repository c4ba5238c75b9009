"""A real LDAP server for a story: OpenLDAP's `slapd`, on a port and in a folder of its own.

`scripts/setup --tests` installs it. Standard library only.
"""

import os
import shutil
import subprocess
import tempfile

from windlass import free_port, wait_until

BASE = "dc=harbour,dc=example"
ADMIN = f"cn=admin,{BASE}"
ADMIN_PASSWORD = "over the whole directory"

CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
argsfile {folder}/args
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw "{password}"
directory {folder}/data
maxsize 16777216
access to attrs=userPassword by self write by anonymous auth by * none
access to * by users read by * none
"""

ENTRIES = """
dn: {base}
objectClass: dcObject
objectClass: organization
o: Harbour
dc: harbour

dn: ou=users,{base}
objectClass: organizationalUnit
ou: users

dn: ou=groups,{base}
objectClass: organizationalUnit
ou: groups
"""


class Directory:
    """A running slapd with the users and groups that a story adds."""

    def __init__(self):
        self.port = free_port()
        self.url = f"ldap://127.0.0.1:{self.port}"
        self.folder = tempfile.mkdtemp(prefix="windlass-slapd-")
        os.mkdir(os.path.join(self.folder, "data"))
        self.configuration = os.path.join(self.folder, "slapd.conf")
        self.log = open(os.path.join(self.folder, "log"), "ab")
        text = CONFIGURATION.format(folder=self.folder, base=BASE, admin=ADMIN, password=ADMIN_PASSWORD)
        with open(self.configuration, "w") as file:
            file.write(text)
        self.process = None
        self.start()
        self.modify(ENTRIES.format(base=BASE), "-a")

    def start(self):
        slapd = shutil.which("slapd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/openldap")
        if slapd is None:
            raise AssertionError("slapd is missing: scripts/setup --tests installs it")
        # With -d it stays in the foreground.
        command = [slapd, "-f", self.configuration, "-h", self.url, "-d", "0"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_until("the directory answers", self.answers, 30)

    def answers(self):
        if self.process.poll() is not None:
            with open(self.log.name, errors="replace") as log:
                raise AssertionError(f"slapd ended with {self.process.returncode}:\n{log.read()}")
        asked = ["ldapwhoami", "-x", "-H", self.url, "-D", ADMIN, "-w", ADMIN_PASSWORD]
        return subprocess.run(asked, capture_output=True).returncode == 0

    def modify(self, text, *options):
        """Changes entries, or with `-a` adds them, as LDIF says."""
        command = ["ldapmodify", *options, "-x", "-H", self.url, "-D", ADMIN, "-w", ADMIN_PASSWORD]
        done = subprocess.run(command, input=text.encode(), capture_output=True)
        if done.returncode != 0:
            raise AssertionError(f"ldapmodify: {done.stderr.decode(errors='replace')}\n{text}")

    def add_user(self, uid, password, name, rdn=None):
        """A user; its distinguished name. `rdn` is the name's first part, where it is not the uid."""
        dn = f"{rdn or f'uid={uid}'},ou=users,{BASE}"
        self.modify(f"dn: {dn}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {name}\nsn: {name}\nuserPassword: {password}\n", "-a")
        return dn

    def add_group(self, name, *members):
        dn = f"cn={name},ou=groups,{BASE}"
        lines = "".join(f"uniqueMember: {member}\n" for member in members)
        self.modify(f"dn: {dn}\nobjectClass: groupOfUniqueNames\ncn: {name}\n{lines}", "-a")
        return dn

    def change_member(self, how, group, member):
        """Adds (`add`) or takes out (`delete`) a member of a group."""
        self.modify(f"dn: {group}\nchangetype: modify\n{how}: uniqueMember\nuniqueMember: {member}\n")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.kill()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
