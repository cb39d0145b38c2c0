location = /extra { return 200 "extra"; }
