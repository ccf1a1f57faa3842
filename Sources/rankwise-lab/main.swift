print("rankwise")
