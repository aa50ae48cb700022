"""An upload as a browser sends it."""

import base64


def send(client, name, data):
    """Upload one file; the batch that a form names it by."""
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": str(len(data)),
        "Upload-Metadata": f"filename {base64.b64encode(name.encode()).decode()}",
    }
    response = client.post(
        "/uploads/", data=data, headers=headers, content_type="application/offset+octet-stream"
    )
    assert response.status_code == 201, response.text
    return response.headers["Location"].rpartition("/")[2].partition("-")[0]
