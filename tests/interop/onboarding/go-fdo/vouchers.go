package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fido-device-onboard/go-fdo"
	"github.com/fido-device-onboard/go-fdo/cbor"
)

// The label of vouchers in PEM.
const voucherLabel = "OWNERSHIP VOUCHER"

func runVoucher(arguments []string) error {
	if len(arguments) == 0 || arguments[0] != "verify" {
		return errors.New("give voucher verify FILE")
	}
	flags, debug := newFlags("voucher verify")
	authority := flags.String("device-ca", "", "file of the certificates that devices' chains must lead to")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("give voucher verify FILE")
	}
	setLog(*debug)
	var roots *x509.CertPool
	if *authority != "" {
		text, err := os.ReadFile(*authority)
		if err != nil {
			return err
		}
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return fmt.Errorf("%s has no certificates", *authority)
		}
	}
	vouchers, err := readVouchers(flags.Arg(0))
	if err != nil {
		return err
	}
	for _, voucher := range vouchers {
		if err := verifyVoucher(voucher, roots); err != nil {
			return fmt.Errorf("voucher of %s: %w", guidText(voucher.Header.Val.GUID), err)
		}
		told, err := describe(voucher)
		if err != nil {
			return err
		}
		tell("verified", told)
	}
	return nil
}

// What can be verified without the device. Where no authorities are given, the device's chain counts by its hash in the header
// alone: many in the field lead to certificates that are no authorities.
func verifyVoucher(voucher *fdo.Voucher, roots *x509.CertPool) error {
	if voucher.Version != 101 || voucher.Header.Val.Version != 101 {
		return fmt.Errorf("version %d with a header of version %d", voucher.Version, voucher.Header.Val.Version)
	}
	if err := voucher.VerifyCertChainHash(); err != nil {
		return err
	}
	if roots != nil {
		if err := voucher.VerifyDeviceCertChain(roots); err != nil {
			return err
		}
	}
	return voucher.VerifyEntries()
}

// What tells one voucher from another.
func describe(voucher *fdo.Voucher) (fields, error) {
	owner := voucher.Header.Val.ManufacturerKey
	if count := len(voucher.Entries); count > 0 {
		owner = voucher.Entries[count-1].Payload.Val.PublicKey
	}
	key, err := owner.Public()
	if err != nil {
		return nil, fmt.Errorf("key of the owner: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("key of the owner: %w", err)
	}
	return fields{
		"guid":           guidText(voucher.Header.Val.GUID),
		"device_info":    voucher.Header.Val.DeviceInfo,
		"entries":        len(voucher.Entries),
		"owner_key":      der,
		"owner_type":     owner.Type,
		"owner_encoding": owner.Encoding,
	}, nil
}

// The vouchers in a file: any number in PEM, or one as CBOR.
func readVouchers(path string) ([]*fdo.Voucher, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var encoded [][]byte
	if bytes.HasPrefix(content, []byte("-")) {
		for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == voucherLabel {
				encoded = append(encoded, block.Bytes)
			}
		}
	} else {
		encoded = append(encoded, content)
	}
	if len(encoded) == 0 {
		return nil, fmt.Errorf("%s has no vouchers", path)
	}
	var vouchers []*fdo.Voucher
	for _, one := range encoded {
		voucher := new(fdo.Voucher)
		if err := cbor.Unmarshal(one, voucher); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		vouchers = append(vouchers, voucher)
	}
	return vouchers, nil
}

// Writes a voucher into a folder and tells where it is.
func handOut(folder string, voucher *fdo.Voucher) error {
	told, err := describe(voucher)
	if err != nil {
		return err
	}
	encoded, err := cbor.Marshal(voucher)
	if err != nil {
		return err
	}
	path := filepath.Join(folder, fmt.Sprintf("%s.pem", told["guid"]))
	if err := writePEM(path, voucherLabel, encoded); err != nil {
		return err
	}
	told["path"] = path
	tell("voucher", told)
	return nil
}

// A voucher sold by its owner to the next one, whose certificates are written where there are some.
func extend(voucher *fdo.Voucher, owner crypto.Signer, next crypto.PublicKey, chain []*x509.Certificate) (*fdo.Voucher, error) {
	if chain != nil {
		return fdo.ExtendVoucher(voucher, owner, chain, nil)
	}
	switch key := next.(type) {
	case *ecdsa.PublicKey:
		return fdo.ExtendVoucher(voucher, owner, key, nil)
	case *rsa.PublicKey:
		return fdo.ExtendVoucher(voucher, owner, key, nil)
	default:
		return nil, fmt.Errorf("keys of type %T are not supported", key)
	}
}
