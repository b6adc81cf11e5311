// A device with a PSA root of trust and a relying party, both of Veraison's libraries: makes a token for the verifier's
// challenge, submits it, and prints what the result says once its signature was verified.
//
//	driver DEVICE-KEY.pem CLAIMS.json API MEDIA-TYPE none|cbor|json
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/veraison/apiclient/verification"
	"github.com/veraison/ear"
	"github.com/veraison/go-cose"
	"github.com/veraison/psatoken"
)

type device struct {
	key       *ecdsa.PrivateKey
	claims    []byte
	mediaType string
}

// BuildEvidence answers a challenge.
func (d device) BuildEvidence(nonce []byte, accept []string) ([]byte, string, error) {
	accepted := false
	for _, mediaType := range accept {
		accepted = accepted || mediaType == d.mediaType
	}
	if !accepted {
		return nil, "", fmt.Errorf("%q is not accepted, but %q", d.mediaType, accept)
	}
	claims, err := psatoken.DecodeUnvalidatedJSONClaims(d.claims)
	if err != nil {
		return nil, "", fmt.Errorf("claims: %w", err)
	}
	if err := claims.SetNonce(nonce); err != nil {
		return nil, "", fmt.Errorf("nonce: %w", err)
	}
	var evidence psatoken.Evidence
	if err := evidence.SetClaims(claims); err != nil {
		return nil, "", err
	}
	signer, err := cose.NewSigner(cose.AlgorithmES256, d.key)
	if err != nil {
		return nil, "", err
	}
	token, err := evidence.Sign(signer)
	return token, d.mediaType, err
}

func run(arguments []string) error {
	if len(arguments) != 5 {
		return errors.New("give DEVICE-KEY.pem CLAIMS.json API MEDIA-TYPE none|cbor|json")
	}
	key, err := readKey(arguments[0])
	if err != nil {
		return err
	}
	claims, err := os.ReadFile(arguments[1])
	if err != nil {
		return err
	}
	api := arguments[2]
	wrap := map[string]verification.CmwWrap{
		"none": verification.NoWrap, "cbor": verification.WrapCBOR, "json": verification.WrapJSON,
	}[arguments[4]]
	config := verification.ChallengeResponseConfig{
		NonceSz:         48,
		EvidenceBuilder: device{key, claims, arguments[3]},
		NewSessionURI:   api + "/challenge-response/v1/newSession",
		DeleteSession:   false,
		Wrap:            wrap,
	}
	answer, err := config.Run()
	if err != nil {
		return fmt.Errorf("challenge and response: %w", err)
	}
	// The client gives the result as the JSON text that it came as.
	var token string
	if err := json.Unmarshal(answer, &token); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	verifier, err := verifierKey(api)
	if err != nil {
		return err
	}
	var result ear.AttestationResult
	if err := result.Verify([]byte(token), jwa.ES256(), verifier); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	text, err := result.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is no PEM", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s is of another algorithm", path)
	}
	return signer, probe(signer)
}

// Whether the key signs at all.
func probe(key crypto.Signer) error {
	_, err := key.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
	return err
}

// What the verifier says that it signs results with.
func verifierKey(api string) (jwk.Key, error) {
	answer, err := http.Get(api + "/.well-known/veraison/verification")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	var discovery struct {
		Key json.RawMessage `json:"ear-verification-key"`
	}
	if err := json.Unmarshal(body, &discovery); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	return jwk.ParseKey(discovery.Key)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
