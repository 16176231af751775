# METADATA
# title: Who outside the accounts we trust a key's policy or grant lets in
package lib.key_policy

import data.lib.event
import data.lib.iam_policy

# METADATA
# title: Whom the statements let in from outside
# description: '`"*"` and principals of accounts that are not trusted, in statements that allow.'
foreign_principals(statements) := {principal |
	some statement in statements
	statement.Effect == "Allow"
	some principal in _principals(statement)
	_foreign(principal, statement)
}

# METADATA
# title: An account is ours
# description: The account that the event is about, and those in `data.approved.accounts`.
trusted(account) if account == event.account

trusted(account) if account in data.approved.accounts

# METADATA
# title: A principal belongs to an account of ours
trusted_principal(principal) if trusted(_account_of(principal))

# The account of `arn:aws:iam::111122223333:role/x` or of a bare account id.
_account_of(principal) := account if {
	startswith(principal, "arn:")
	account := split(principal, ":")[4]
} else := principal

# `NotPrincipal` beside an allow lets in everybody else.
_principals(statement) := ["*"] if {
	statement.Principal == "*"
} else := ["*"] if {
	statement.NotPrincipal
} else := iam_policy.as_array(statement.Principal.AWS)

_foreign("*", statement) if not _narrowed(statement)

_foreign(principal, _) if {
	principal != "*"
	not _unresolved(principal)
	not trusted_principal(principal)
}

# A deleted user or role is shown by its unique id: it lets nobody in.
_unresolved(principal) if {
	startswith(principal, "A")
	not contains(principal, ":")
}

# `"*"` is common where a condition then names our own account or organisation.
_narrowed(statement) if {
	some key, value in statement.Condition.StringEquals
	lower(key) in {"aws:principalaccount", "aws:sourceaccount", "kms:calleraccount"}
	every account in iam_policy.as_array(value) {
		trusted(account)
	}
}

_narrowed(statement) if {
	some key, value in statement.Condition.StringEquals
	lower(key) == "aws:principalorgid"
	every organisation in iam_policy.as_array(value) {
		organisation in data.approved.organisations
	}
}
