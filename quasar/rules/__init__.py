"""Pure rules: what makes a validator decide also makes an auditor agree."""
