package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

type task struct{ ID, Title string }

func send(method, address, body string) task {
	request, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	content, _ := io.ReadAll(answer.Body)
	var found task
	json.Unmarshal(content, &found)
	fmt.Println(strings.TrimSpace(fmt.Sprint(method, " ", answer.StatusCode, " ", found.Title)))
	return found
}

func main() {
	created := send("POST", os.Args[1], `{"title": "first"}`)
	address := os.Args[1] + "/" + created.ID
	send("GET", address, "")
	send("PUT", address, `{"title": "second"}`)
	send("DELETE", address, "")
}
