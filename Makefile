# What a person or a machine starts by hand. Needs Python 3.11 or newer and make, nothing else: `make run`.
.POSIX:

VENV = .venv
PY = $(VENV)/bin/python
PIP = $(PY) -m pip --disable-pip-version-check --quiet
SCENARIO =

# A Python that is new enough and can make environments (Debian keeps ensurepip in a package of its own).
FIND_PYTHON = \
	for python in python3.13 python3.12 python3.11 python3; do \
		if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo 'Python 3.11 or newer with its venv module is needed (Debian, Ubuntu: the packages python3 and python3-venv).' >&2; \
		exit 1; \
	fi

# An environment whose making was interrupted has no working pip, and is made anew.
MAKE_VENV = \
	if ! $(PY) -m pip --version >/dev/null 2>&1; then \
		$(FIND_PYTHON); \
		echo "Making $(VENV) with $$($$python --version)"; \
		$$python -m venv --clear $(VENV); \
	fi

.PHONY: run demo test check bench clients pictures lock clean

run: $(VENV)/.installed-run
	@exec $(PY) manage.py run

demo: $(VENV)/.installed-run
	@exec $(PY) manage.py run --demo

test: $(VENV)/.installed-dev
	@$(PY) -m pytest

check: $(VENV)/.installed-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy gaming_leaderboard leaderboard realtime clients/python/gaming_leaderboard_client
	$(PY) manage.py makemigrations --check --dry-run
	@$(PY) -m pytest -q -m "not slow"

bench: $(VENV)/.installed-dev
	@$(PY) -m bench $(SCENARIO)

# The typed clients, after a change of what the OpenAPI document says.
clients: $(VENV)/.installed-dev
	@$(PY) -m clients.generate

# The pictures of the docs, from the running product.
pictures: $(VENV)/.installed-dev
	@$(PY) -m tests.docs.picture

# The last step of each is its stamp: what was interrupted is done again.
$(VENV)/.installed-run: requirements/base.txt requirements/embedded.txt
	@$(MAKE_VENV)
	@echo 'Installing the requirements into $(VENV); the first time this takes a minute'
	@$(PIP) install --require-hashes -r requirements/base.txt -r requirements/embedded.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed-run requirements/dev.txt
	@echo 'Installing the requirements of the tests into $(VENV)'
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

# After a change of a .in file. In this order: each names those before it as its constraints.
COMPILE = $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

lock: $(VENV)/.installed-run
	@$(PIP) install uv
	cd requirements && ../$(COMPILE) -o base.txt base.in
	cd requirements && ../$(COMPILE) -o embedded.txt embedded.in
	cd requirements && ../$(COMPILE) -o dev.txt dev.in

# Leaves db.sqlite3 and var/: they hold scores and secrets, not products.
clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
