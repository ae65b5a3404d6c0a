// Runs the model that is asked for in a worker, and answers with what it gives.

onmessage = async ({ data: { url, options, inputs } }) => {
  try {
    const { load } = await import(url);
    const model = await load(options);
    postMessage({ backend: model.backend, outputs: await model.run(inputs) });
  } catch (error) {
    postMessage({ error: String(error) });
  }
};
