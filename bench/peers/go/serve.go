package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	serveGrace = 5 * time.Second
	httpText   = "Hello, world!"
)

// serve runs until SIGTERM or SIGINT. Go raises the limit on open files to the most that is allowed by itself.
func serve(o *options) error {
	ending, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	listener, where, err := listen(o)
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", where)
	if o.serve == "http" {
		return serveHTTP(ending, listener)
	}
	return serveEcho(ending, listener)
}

func listen(o *options) (net.Listener, string, error) {
	if o.unix != "" {
		listener, err := net.Listen("unix", o.unix)
		return listener, "unix:" + o.unix, err
	}
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", o.port))
	if err != nil {
		return nil, "", err
	}
	return listener, listener.Addr().String(), nil
}

// serveEcho reads and writes. io.Copy would be shorter, but goes through a pipe with splice(2).
func serveEcho(ending context.Context, listener net.Listener) error {
	go func() {
		<-ending.Done()
		listener.Close()
	}()
	for {
		conn, err := listener.Accept()
		if ending.Err() != nil {
			return nil // the end of the program closes the connections
		}
		if err != nil {
			return err
		}
		go echoConnection(conn)
	}
}

func serveHTTP(ending context.Context, listener net.Listener) error {
	server := &http.Server{Handler: http.HandlerFunc(answer)}
	go func() {
		<-ending.Done()
		grace, cancel := context.WithTimeout(context.Background(), serveGrace)
		defer cancel()
		server.Shutdown(grace)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// answer is executor/examples/httpd's.
func answer(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	switch {
	case request.URL.Path != "/":
		http.Error(w, "404 Not Found", http.StatusNotFound)
	case request.Method != http.MethodGet && request.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "405 Method Not Allowed", http.StatusMethodNotAllowed)
	default:
		io.WriteString(w, httpText)
	}
}
