// Renders the templates of a chart as Helm does, which is by this same package with more functions than the chart uses.
// Reads {"templates": [...], "values": {...}, "appVersion": "..."} and writes what they make.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"text/template"
)

func main() {
	var chart struct {
		Templates  []string
		Values     map[string]any
		AppVersion string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&chart); err != nil {
		panic(err)
	}
	functions := template.FuncMap{
		"quote":   func(value any) string { return strconv.Quote(fmt.Sprint(value)) },
		"default": func(fallback, value string) string { return map[bool]string{true: fallback, false: value}[value == ""] },
		"toJson": func(value any) (string, error) {
			text, err := json.Marshal(value)
			return string(text), err
		},
	}
	data := map[string]any{
		"Values":  chart.Values,
		"Release": map[string]string{"Name": "gone"},
		"Chart":   map[string]string{"AppVersion": chart.AppVersion},
	}
	for _, text := range chart.Templates {
		made := template.Must(template.New("template").Option("missingkey=error").Funcs(functions).Parse(text))
		fmt.Println("---")
		if err := made.Execute(os.Stdout, data); err != nil {
			panic(err)
		}
	}
}
