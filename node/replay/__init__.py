"""An incident played against one owner's exposure and policy: what would have been decided when. Nothing is sent.

`holdings` reads the owner's list, `incident` what happened and what members said, `network` who would have counted,
`played` decides through the policy's own rules, `answer` tells it.
"""
