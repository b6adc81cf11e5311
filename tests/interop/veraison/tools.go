//go:build tools

package main

// The command line tool of the same module, which the test builds beside this program.
import _ "github.com/veraison/corim/cocli"
