"""How the way of spreading an alarm behaves from 5 to 1000 control groups."""
