module sextant/tests/interop/onboarding/go-fdo

go 1.25.0

require (
	github.com/fido-device-onboard/go-fdo v0.0.0-20260116133239-94bd9c5d647c
	github.com/fido-device-onboard/go-fdo/fsim v0.0.0-20260116133239-94bd9c5d647c
)
