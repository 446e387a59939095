"""Everything that touches other systems, behind four small contracts, and the policy that decides. See README.md."""
