package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/fido-device-onboard/go-fdo"
	"github.com/fido-device-onboard/go-fdo/cbor"
	fdohttp "github.com/fido-device-onboard/go-fdo/http"
	"github.com/fido-device-onboard/go-fdo/protocol"
)

// One place where a server is, as URLs name it.
type address struct {
	ip     net.IP // nothing where there is a name
	name   string
	port   uint16
	secure bool
}

func parseAddress(text string) (address, error) {
	parsed, err := url.Parse(text)
	if err != nil {
		return address{}, err
	}
	where := address{ip: net.ParseIP(parsed.Hostname()), name: parsed.Hostname(), secure: parsed.Scheme == "https"}
	// Addresses of IPv4 have four bytes in messages, and sixteen in what Go parses.
	if short := where.ip.To4(); short != nil {
		where.ip = short
	}
	if !where.secure && parsed.Scheme != "http" {
		return address{}, fmt.Errorf("%s is neither http nor https", text)
	}
	port, err := strconv.ParseUint(parsed.Port(), 10, 16)
	if err != nil {
		return address{}, fmt.Errorf("port of %s: %w", text, err)
	}
	where.port = uint16(port)
	return where, nil
}

// The instructions of one directive that lead here.
func (where address) directive(bypass bool) ([]protocol.RvInstruction, error) {
	transport := protocol.RVProtHTTP
	if where.secure {
		transport = protocol.RVProtHTTPS
	}
	host := struct {
		variable protocol.RvVar
		value    any
	}{protocol.RVDns, where.name}
	if where.ip != nil {
		host.variable, host.value = protocol.RVIPAddress, where.ip
	}
	var directive []protocol.RvInstruction
	for _, instruction := range []struct {
		variable protocol.RvVar
		value    any
	}{
		{protocol.RVProtocol, transport},
		host,
		{protocol.RVDevPort, where.port},
		{protocol.RVOwnerPort, where.port},
	} {
		value, err := cbor.Marshal(instruction.value)
		if err != nil {
			return nil, err
		}
		directive = append(directive, protocol.RvInstruction{Variable: instruction.variable, Value: value})
	}
	if bypass {
		directive = append(directive, protocol.RvInstruction{Variable: protocol.RVBypass})
	}
	return directive, nil
}

// The same place as it is registered in TO0.
func (where address) forTO2() protocol.RvTO2Addr {
	to2 := protocol.RvTO2Addr{Port: where.port, TransportProtocol: protocol.HTTPTransport}
	if where.secure {
		to2.TransportProtocol = protocol.HTTPSTransport
	}
	if where.ip != nil {
		to2.IPAddress = &where.ip
	} else {
		to2.DNSAddress = &where.name
	}
	return to2
}

// The places that an address registered in TO0 names; the name goes first.
func urlsOf(to2 protocol.RvTO2Addr) ([]string, error) {
	scheme := ""
	switch to2.TransportProtocol {
	case protocol.HTTPTransport:
		scheme = "http"
	case protocol.HTTPSTransport:
		scheme = "https"
	default:
		return nil, fmt.Errorf("transport %s is not supported", to2.TransportProtocol)
	}
	var hosts, urls []string
	if to2.DNSAddress != nil {
		hosts = append(hosts, *to2.DNSAddress)
	}
	if to2.IPAddress != nil {
		hosts = append(hosts, to2.IPAddress.String())
	}
	for _, host := range hosts {
		urls = append(urls, scheme+"://"+net.JoinHostPort(host, strconv.Itoa(int(to2.Port))))
	}
	return urls, nil
}

// How a client trusts servers over TLS.
type trust struct {
	authority *string
	insecure  *bool
}

func trustFlags(flags *flag.FlagSet) trust {
	return trust{
		authority: flags.String("ca", "", "file of the certificates that servers are trusted by"),
		insecure:  flags.Bool("insecure", false, "trust every server"),
	}
}

// Gives what makes a transport to a server. Each keeps its own tokens.
func (t trust) transports() (func(base string) fdo.Transport, error) {
	config := &tls.Config{InsecureSkipVerify: *t.insecure}
	if *t.authority != "" {
		text, err := os.ReadFile(*t.authority)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s has no certificates", *t.authority)
		}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	return func(base string) fdo.Transport {
		return &fdohttp.Transport{BaseURL: base, Client: client}
	}, nil
}
