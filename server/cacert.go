package server

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/shakenfist/shakenfist/fault"
)

// maxCertificates bounds the file of certificates, in bytes.
const maxCertificates = 1 << 20

// certificates returns the certificates in a file of PEM, and nothing else of it: should there be a key beside them, it stays
// there. It returns nil if there is no file, or path is "". It fails with fault.Internal if the file can't be read or holds no
// certificate.
func certificates(path string) ([]byte, error) {
	const op = "server.certificates"
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Because(op, fault.Internal, "", err, "the file of certificates cannot be read; check its permissions")
	}
	defer f.Close() //nolint:errcheck // only read
	rest, err := io.ReadAll(io.LimitReader(f, maxCertificates))
	if err != nil {
		return nil, fault.Because(op, fault.Internal, "", err, "the file of certificates cannot be read")
	}
	var found bytes.Buffer
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fault.Because(op, fault.Internal, "", err, "a certificate in %s cannot be read", path)
		}
		found.Write(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))
	}
	if found.Len() == 0 {
		return nil, fault.New(op, fault.Internal, "", "%s holds no certificate in PEM", path)
	}
	return found.Bytes(), nil
}
