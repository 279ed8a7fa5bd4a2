// Shows the API that this page belongs to, and asks nobody else for anything: the validator and the
// other sites that Swagger UI knows are left out. A key that is typed in stays in this page.
"use strict";

// An example beside a field is put into it. That is good for what is needed; what is not would be sent
// without anybody wanting it, so there it is told instead.
const tellExamples = (document) => {
  const operations = Object.values(document.paths ?? {}).flatMap((path) => Object.values(path));
  for (const parameter of operations.flatMap((operation) => operation.parameters ?? [])) {
    if (!parameter.required && "example" in parameter) {
      parameter.description += ` For example: \`${parameter.example}\``;
      delete parameter.example;
    }
  }
  return document;
};

const withoutExamples = () => ({
  statePlugins: {
    spec: {
      wrapActions: {
        updateJsonSpec: (update) => (document) => update(tellExamples(document)),
      },
    },
  },
});

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  persistAuthorization: false,
  plugins: [withoutExamples],
  queryConfigEnabled: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
