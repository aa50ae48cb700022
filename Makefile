# netboot: `make` alone lists what can be made.
.DEFAULT_GOAL := help
.PHONY: help run test quick test-media test-long test-install test-systems test-postgresql test-container package wheel docs setup lint format lock vendor pictures clean bench bench-tftp bench-http bench-dhcp bench-drivers bench-image bench-web

DATA ?= data
INTERFACE ?=
QUICK ?=
quick = $(if $(QUICK),--quick)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make run INTERFACE=eth0   serves the network behind eth0 instead of the lab"
	@echo "  make run DATA=/srv/netboot  keeps everything in another folder than ./data"
	@echo "  YES=1 make run            installs missing system packages without asking"
	@echo
	@echo "  The page is at http://127.0.0.1:8080/ and opens on this computer only. From another one:"
	@echo "    ssh -L 8080:127.0.0.1:8080 THIS-COMPUTER   then open http://127.0.0.1:8080/ there"
	@echo "  or let it listen on the network, with TLS, and restart the site:"
	@echo "    .venv/bin/netboot --data data settings set web_address=0.0.0.0 tls=self-signed"
	@echo "  Another port: settings set web_port=8443"

run: ## set up what is missing and start the site
	@scripts/setup run
	@exec .venv/bin/netboot --data "$(DATA)" run $(if $(INTERFACE),--interface "$(INTERFACE)")

test: ## set up what is missing and run all tests, boots of virtual machines included
	@scripts/setup test
	@exec scripts/test $(TESTS)

quick: ## pure rooms and laws of the house: no virtual machine, browser or namespace
	@scripts/setup test
	@exec .venv/bin/pytest -q -n 2 tests/protocols tests/formats tests/images tests/boot tests/test_house.py tests/test_errors.py tests/test_words.py tests/test_papers.py

test-media: ## boot media and disks of a version on every firmware, alone
	@scripts/setup test
	@exec env MEDIA=1 scripts/test

test-long: ## storms, stress, full disks and more boots, which take their time, alone
	@scripts/setup test
	@exec env LONG=1 scripts/test

test-postgresql: ## the operations and stores with every test's site on PostgreSQL, alone
	@scripts/setup test
	@exec env DATABASE=postgresql .venv/bin/pytest -q -n 2 --dist loadfile -m "not vm and not long" --ignore tests/operations/backups tests/operations tests/store

package: ## build netboot_VERSION_amd64.deb in build/
	@scripts/setup test
	@exec .venv/bin/python scripts/package/build.py build

wheel: ## build netboot-VERSION-py3-none-any.whl in build/, for pipx
	@scripts/setup test
	@exec .venv/bin/python scripts/package/wheel.py build

docs: ## build the pages that the console shows under Help, in build/help
	@scripts/setup docs
	@exec .venv/bin/python scripts/help/build.py

test-install: ## install the package in a Debian 12 of its own, boot machines from it, remove it
	@scripts/setup install
	@exec env INSTALL=1 scripts/test

test-systems: ## install the package in a tree of Debian 13 and, with UBUNTU=mirror, Ubuntu 24.04
	@scripts/setup install
	@exec env SYSTEMS=1 UBUNTU="$(UBUNTU)" UBUNTU_KEYRING="$(or $(UBUNTU_KEYRING),/usr/share/keyrings/ubuntu-archive-keyring.gpg)" .venv/bin/pytest -q tests/systems

test-container: ## build the container image from scratch and start it, without an engine
	@scripts/setup container
	@exec env CONTAINER=1 .venv/bin/pytest -q tests/container

setup: ## set up what is missing, start nothing
	@scripts/setup run

lint: ## ruff, mypy and the laws of the house
	@scripts/setup test
	@.venv/bin/pytest -q tests/test_house.py

format: ## let ruff put everything in form
	@.venv/bin/ruff check --fix -q .
	@.venv/bin/ruff format -q .

lock: ## write the lock files anew from pyproject.toml
	@scripts/lock

vendor: ## fetch the page's libraries anew (needs npm)
	@.venv/bin/python scripts/vendor.py

pictures: ## make the README's pictures of the console anew
	@scripts/setup test
	@NETBOOT_PICTURES=docs/pictures .venv/bin/pytest -q tests/web/browser/test_browser_pictures.py

bench: bench-tftp bench-http bench-dhcp bench-drivers bench-image bench-web ## run all benchmarks, side by side with their peers

bench-tftp bench-http bench-dhcp bench-drivers bench-image bench-web: ## run one benchmark (QUICK=1: under a minute)
	@scripts/setup bench
	@.venv/bin/python -m tests.bench.$(@:bench-%=%) $(quick)

clean: ## remove what set-up made (never the data folder)
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis build/help
