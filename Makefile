# Two commands do it all: `make run` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help setup run tour test lint format bench clean lock

HOST ?= 127.0.0.1
PORT ?= 8000
ACTIVE := .venv/bin

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: ## Make .venv with everything in it (does nothing the second time)
	@bin/setup

run: ## Serve the shelter with sample animals (PORT=8000, HOST=127.0.0.1)
	@bin/run $(HOST) $(PORT)

tour: setup ## See what the migration tooling does, in a scratch folder
	@$(ACTIVE)/python manage.py tour

test: setup ## Run all tests, on every database that is here
	@$(ACTIVE)/python -m tests.run

lint: setup ## Check style, types, import contracts and migrations
	$(ACTIVE)/ruff check .
	$(ACTIVE)/ruff format --check .
	$(ACTIVE)/mypy .
	$(ACTIVE)/lint-imports
	$(ACTIVE)/python manage.py makemigrations --check --dry-run
	$(ACTIVE)/python manage.py checkmigrations

format: setup ## Format the code, and mend what can be mended
	$(ACTIVE)/ruff check --fix .
	$(ACTIVE)/ruff format .

bench: setup ## Measure it all (takes an hour and some gigabytes)
	$(ACTIVE)/python -m bench.checking
	$(ACTIVE)/python -m bench.status
	$(ACTIVE)/python -m bench.drawing
	$(ACTIVE)/python -m bench.deploying
	$(ACTIVE)/python -m bench.import_rate
	$(ACTIVE)/python -m bench.admin_pages

lock: setup ## Write the versions in .venv to constraints.txt
	@{ echo "# What the packages of requirements.txt bring along, pinned. Made by \`make lock\`."; \
	   $(ACTIVE)/pip freeze --exclude shelter; } > constraints.txt

clean: ## Remove .venv and caches; the database and the secret key stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis htmlcov .coverage staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
